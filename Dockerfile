# Breakwater. Works with a read-only root file system:
#   docker run --read-only --tmpfs /tmp -v ./my-config:/etc/breakwater:ro breakwater
# where my-config has a proxy.yaml: a folder, since a file in a mount of its own stays what it was when an editor replaces it.
# Request bodies that outgrow memory are kept in /tmp, nameless, while they may have to be sent again. Checkpoints and jobs
# are kept in /data, a volume: give it a name, or a claim, for them to outlive the container.
# The Node that runs the sidecar is the one of this image, whose digest names its every byte. It is of the version that
# package.json pins for every other place; the npm package of that Node, made by others than the Node project, stays out.
FROM node:26.10.0-trixie-slim@sha256:ec7758ee051e457b468b32bde57b0879010b325bb9862718e9615225ce4aaae1 AS app
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils libatomic1
WORKDIR /app
COPY package.json package-lock.json ./
# Node is stripped of symbols for debuggers, a fifth of its size.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund && mkdir -p /usr-of-image/bin /usr-of-image/lib && \
    cp /usr/local/bin/node /usr-of-image/bin/ && strip /usr-of-image/bin/node && \
    cp -L "$(ldd /usr-of-image/bin/node | awk '/libatomic/ { print $3 }')" /usr-of-image/lib/ && \
    rm -rf node_modules/.bin node_modules/zod/src && \
    find node_modules -name '*.map' -delete -o -name '*.d.?ts' -delete -o -name '*.d.ts' -delete
COPY LICENSE ./
COPY bin ./bin
COPY src ./src
COPY docs/runbook.md ./docs/
# `breakwater` on the PATH, for `kubectl exec … -- breakwater top`: without the `env` that its first line asks for elsewhere.
RUN sed -i '1s|.*|#!/usr/bin/node --max-semi-space-size=2|' bin/breakwater.js && ln -s /app/bin/breakwater.js /usr-of-image/bin/breakwater
COPY proxy.yaml /etc/breakwater/
# One start under the later user (65532) leaves the compiled code there: the next ones take half the time. However slow the builder
# is, as an emulated one, it is stopped only once it has started. `breakwater demo` takes the shipped configuration from /app, whatever is mounted at /etc/breakwater.
RUN cp /etc/breakwater/proxy.yaml ./ && mkdir -m 777 node_modules/.cache /data && \
    BREAKWATER_STORE=memory: setpriv --reuid=65532 --regid=65532 --clear-groups sh -c '\
      /usr-of-image/bin/node bin/breakwater.js run --config /etc/breakwater/proxy.yaml & \
      until /usr-of-image/bin/node -e "fetch(\"http://127.0.0.1:8081/startupz\").then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"; \
      do kill -0 $! || exit 1; sleep 1; done; \
      kill $!; wait $!'

# The pinned Node needs glibc and libstdc++, which this has, and libatomic, which it has not: that one comes from the same Debian.
FROM gcr.io/distroless/cc-debian13:nonroot@sha256:e792ab3d241a468a4fd7519ddbbebe66b49b5f365771716ea688ad40b6c6f1c2
# A relative path of the configuration begins here: the default store, file:./data, is the volume.
WORKDIR /
COPY --from=app /usr-of-image /usr
COPY --from=app /etc/breakwater /etc/breakwater
COPY --from=app /app /app
COPY --from=app --chown=nonroot:nonroot /data /data
VOLUME /data
USER nonroot
# No signal opens an inspector, from the first moment on. Not in the first line of the command, which holds one option alone.
ENV NODE_OPTIONS=--disable-sigusr1
EXPOSE 8080 8081 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8081/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["breakwater"]
CMD ["run", "--config", "/etc/breakwater/proxy.yaml"]
