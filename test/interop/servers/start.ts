import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { started } from '../../support/command.ts'
import { temporaryFolder } from '../../support/folder.ts'
import { freePort } from '../../support/ports.ts'
import { PYTHON } from '../../support/python.ts'
import type { Scope } from '../../support/scripted-upstream.ts'
import { until } from '../../support/until.ts'
import { bytesOf, echoUpstream } from '../echo.ts'

/** Starts a command on a port of its choice, which it writes at the end of a match. @returns its origin. */
async function startedAt(t: Scope, command: readonly string[], says: RegExp): Promise<string> {
  const withStderr = ['sh', '-c', 'exec "$@" 2>&1', 'sh', ...command]
  const [, port] = await started(t, withStderr).until(says)
  return `http://127.0.0.1:${port}`
}

export const startUvicorn = (t: Scope, codec: 'h11' | 'httptools') =>
  startedAt(
    t,
    [
      PYTHON,
      '-m',
      'uvicorn',
      '--app-dir',
      import.meta.dirname,
      '--port',
      '0',
      '--http',
      codec,
      '--lifespan',
      'off',
      'asgi_app:app',
    ],
    /running on http:\/\/127\.0\.0\.1:(\d+)/,
  )

export const startGunicorn = (t: Scope, worker: 'sync' | 'gthread') =>
  startedAt(
    t,
    [
      PYTHON,
      '-m',
      'gunicorn',
      '--chdir',
      import.meta.dirname,
      '--bind',
      '127.0.0.1:0',
      '--worker-class',
      worker,
      '--threads',
      worker === 'sync' ? '1' : '4',
      'wsgi_app:app',
    ],
    /Listening at: http:\/\/127\.0\.0\.1:(\d+)/,
  )

const SERVING = /Serving HTTP on \S+ port (\d+)/

export const startHttpServer = (t: Scope) =>
  startedAt(t, [PYTHON, join(import.meta.dirname, 'http_server.py'), '0'], SERVING)

/** `python -m http.server` before a folder with the file `big`. */
export const startFileServer = (t: Scope, bigBytes: number) => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'big'), bytesOf(bigBytes))
  const command = [PYTHON, '-u', '-m', 'http.server', '--bind', '127.0.0.1', '--directory', folder, '0']
  return startedAt(t, command, SERVING)
}

/**
 * nginx with the file `big`, and what an echo answers under other paths. It closes a connection after some requests, and
 * takes up to 1 MiB under `/small/`.
 */
export async function startNginx(t: Scope, bigBytes: number): Promise<string> {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'big'), bytesOf(bigBytes))
  const [echo, port] = await Promise.all([echoUpstream(t), freePort()])
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder};`)
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
    events {}
    http {
      access_log off; keepalive_requests 7; client_max_body_size 8m; ${temporary.join(' ')}
      server {
        listen 127.0.0.1:${port};
        location / { proxy_pass ${echo}; proxy_http_version 1.1; proxy_set_header Connection ""; }
        location = /big { root ${folder}; }
        location /small/ { client_max_body_size 1m; proxy_pass ${echo}; }
        location = /missing { return 404; }
        location = /empty { return 204; }
      }
    }`,
  )
  started(t, ['nginx', '-e', 'stderr', '-c', file])
  const origin = `http://127.0.0.1:${port}`
  await until(() =>
    fetch(`${origin}/empty`).then(
      ({ ok }) => ok,
      () => false,
    ),
  )
  return origin
}
