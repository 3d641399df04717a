/** Warnings about the sidecar as a whole. */

import type { Address } from '../../net/listen.ts'
import { computeTimeout, type Inputs } from '../../job/timeouts.ts'
import { hostname, isLoopback } from '../../net/loopback.ts'
import { writtenBytes, writtenMs } from '../kinds/units.ts'
import type { Rules } from '../../policy/scope.ts'
import type { FileScope, ServiceScope } from './rule.ts'

/** Shortest token without a warning, in characters. Shorter ones can be guessed. */
const TOKEN_CHARS = 16

export const SERVICE: Rules<ServiceScope> = {
  'control-open': ({ config: { control } }) =>
    isLoopback(control.listen.host)
      ? undefined
      : {
          at: ['control.listen'],
          reason:
            'everybody who reaches this address can read checkpoints and guess the token, and the token travels unencrypted',
          fix: 'control.listen on 127.0.0.1, and control.metricsListen for Prometheus and the probes',
        },

  'listener-open': ({ config: { listen, upstreams } }) => {
    const open = (address: Address | undefined) => address !== undefined && !isLoopback(address.host)
    const upstream = upstreams.find((one) => open(one.listen))
    if (!open(listen) && upstream === undefined) return undefined
    return {
      at: [open(listen) ? 'listen' : `upstreams.${upstream?.name}.listen`],
      reason:
        'everybody who reaches this address can call the upstreams through the sidecar, with the credentials that it adds',
      fix: "127.0.0.1, which the pod's own containers reach; where other hosts are meant to call, --allow listener-open",
    }
  },

  'token-short': ({ config: { control } }) =>
    control.token === '' || control.token.length >= TOKEN_CHARS
      ? undefined
      : {
          at: ['control.token'],
          reason: `the token has fewer than ${TOKEN_CHARS} characters: it can be guessed`,
          fix: 'a random token from the environment, such as the output of openssl rand -hex 32',
        },

  'tracing-grpc': ({ config: { tracing } }) =>
    !/:4317$/.test(tracing.endpoint)
      ? undefined
      : {
          at: ['tracing.endpoint'],
          reason: 'port 4317 is for OTLP over gRPC, and the sidecar sends spans over HTTP',
          fix: 'the port for OTLP over HTTP, 4318 by default',
        },

  'tracing-headers-open': ({ config: { tracing } }) =>
    tracing.headers.length === 0 ||
    !/^http:/.test(tracing.endpoint) ||
    isLoopback(hostname(new URL(tracing.endpoint).host))
      ? undefined
      : {
          at: ['tracing.headers'],
          reason: 'the headers, and the credentials in them, travel unencrypted to the collector',
          fix: 'an https:// endpoint, or a collector on this machine that has the credentials',
        },

  'notify-unencrypted': ({ config: { notify } }) =>
    !/^http:/.test(notify.url) || isLoopback(hostname(new URL(notify.url).host))
      ? undefined
      : {
          at: ['notify.url'],
          reason:
            'incidents, with paths of requests and ids of jobs, travel unencrypted to the webhook, and so does a token in its address',
          fix: 'an https:// address',
        },

  'notify-without-opened': ({ config: { notify } }) =>
    notify.url === '' || notify.on.includes('opened')
      ? undefined
      : {
          at: ['notify.on'],
          reason: 'the webhook is told of an incident only when it is over: one that lasts is never told',
          fix: 'on: [opened, closed]',
        },

  'checkpoints-in-memory': ({ config: { checkpoints } }) =>
    checkpoints.store.kind !== 'memory'
      ? undefined
      : {
          at: ['checkpoints.store'],
          reason:
            'checkpoints, jobs, history and incidents are lost when the sidecar ends, and it ends with the service that needs them',
          fix: 'store: file:<folder on a volume>, or redis://…',
        },

  'fleet-limit-without-fleet': ({ config: { fleet, limits, upstreams } }) => {
    if (fleet !== false) return undefined
    const shared = Object.keys(limits).find((name) => limits[name]?.fleet !== false)
    const upstream = upstreams.find(({ concurrency }) => concurrency.fleet !== false)
    if (shared === undefined && upstream === undefined) return undefined
    return {
      at: [shared === undefined ? `upstreams.${upstream?.name}.concurrency.fleet` : `limits.${shared}.fleet`],
      reason: 'there is no fleet: the number holds for no other sidecar, and for this one max alone does',
      fix: 'fleet: { redis: redis://… }',
    }
  },

  'fleet-share-over-rate': ({ config: { fleet, upstreams } }) => {
    const upstream = upstreams.find(({ rate }) => rate !== false && fleet !== false && rate.requests < fleet.pods)
    if (upstream === undefined || fleet === false) return undefined
    return {
      at: [`upstreams.${upstream.name}.rate.requests`],
      reason: `without Redis each of ${fleet.pods} sidecars makes at least one call: more than the rate allows`,
      fix: 'more requests in a longer window, or fewer sidecars',
    }
  },

  'redis-tls-unused': ({ config: { checkpoints, health, fleet } }) => {
    const { store } = checkpoints
    const blocks = [
      ['checkpoints.tls', checkpoints.tls, store.kind === 'redis' && store.target],
      ['health.tls', health.tls, health.redis],
      ['health.celery.tls', health.celery.tls, health.celery.broker],
      ['fleet.tls', fleet === false ? {} : fleet.tls, fleet !== false && fleet.redis],
    ] as const
    const unused = blocks.find(
      ([, tls, target]) => Object.values(tls).some((path) => path !== '') && (target === false || !target.tls),
    )
    if (unused === undefined) return undefined
    return {
      at: [unused[0]],
      reason: 'the server is not called over TLS: these settings do nothing, and what is sent is not encrypted',
      fix: 'a URL that begins with rediss://, rediss+sentinel:// or rediss+cluster://',
    }
  },

  'limit-unused': ({ config: { limits, upstreams } }) => {
    const named = new Set(upstreams.flatMap((upstream) => [upstream, ...upstream.routes].map(({ limit }) => limit)))
    const unused = Object.keys(limits).find((name) => !named.has(name))
    if (unused === undefined) return undefined
    return {
      at: [`limits.${unused}`],
      reason: 'no upstream and no route names it: it limits nothing',
      fix: `limit: ${unused} on the upstreams or routes that share it`,
    }
  },

  'critical-check-off': ({ config: { health } }) => {
    const off = health.critical.find(
      (name) => (name === 'redis' && !health.redis) || (name === 'celery_workers' && !health.celery.broker),
    )
    if (off === undefined) return undefined
    const key = off === 'redis' ? 'health.redis' : 'health.celery.broker'
    return {
      at: ['health.critical'],
      reason: `${off} is critical, and ${key} is empty: the check does not run, and the service is healthy without it`,
      fix: `${key}, or a list without ${off}`,
    }
  },

  'disk-limit-over-size': ({ config: { health }, diskBytes }) => {
    const { path, failBelow, warnBelow } = health.disk
    const total = diskBytes(path)
    const name = failBelow >= total ? 'failBelow' : 'warnBelow'
    if (warnBelow < total && failBelow < total) return undefined
    return {
      at: [`health.disk.${name}`, 'health.disk.path', 'health'],
      reason: `the file system of ${path} has ${writtenBytes(total)} in all: less than ${name}, in whose place a share of it applies`,
      fix: 'limits below its size, or the path of the volume that is meant',
    }
  },

  'disk-warns-late': ({ config: { health } }) =>
    health.disk.failBelow < health.disk.warnBelow
      ? undefined
      : {
          at: ['health.disk.warnBelow', 'health.disk.failBelow'],
          reason: 'the check fails before it warns: there is never a warning',
          fix: 'a warnBelow of several times failBelow',
        },
}

/** Scope of the rules about a computed timeout: the file, and the name of the timeout. */
type TimeoutScope = FileScope & { readonly name: string }

export const COMPUTED: Rules<TimeoutScope> = {
  'computed-always-max': ({ config, name }) => {
    const rule = config.timeouts[name]
    const { unclampedSeconds } = computeTimeout(name, config.timeouts, extremes(config, 'min'))
    if (rule === undefined || unclampedSeconds * 1000 < rule.maxMs) return undefined
    return {
      at: [`timeouts.${name}.max`, `timeouts.${name}`],
      reason: `with the smallest inputs the timeout is ${writtenMs(unclampedSeconds * 1000)}, and max is ${writtenMs(rule.maxMs)}: every job gets max, whatever its shape`,
      fix: 'a longer max, or a plain duration where the timeout is used',
    }
  },

  'computed-always-min': ({ config, name }) => {
    const rule = config.timeouts[name]
    const { unclampedSeconds } = computeTimeout(name, config.timeouts, extremes(config, 'max'))
    if (rule === undefined || unclampedSeconds * 1000 > rule.minMs) return undefined
    return {
      at: [`timeouts.${name}.min`, `timeouts.${name}`],
      reason: `with the largest inputs the timeout is ${writtenMs(unclampedSeconds * 1000)}, and min is ${writtenMs(rule.minMs)}: every job gets min, whatever its shape`,
      fix: 'a shorter min, or a plain duration where the timeout is used',
    }
  },

  'computed-of-words': ({ config, name }) => {
    const words = config.job.inputs.filter(({ byDefault }) => typeof byDefault === 'string').map((input) => input.name)
    const used = Object.keys(config.timeouts[name]?.per ?? {}).find((input) => words.includes(input))
    if (used === undefined) return undefined
    return {
      at: [`timeouts.${name}.per.${used}`],
      reason: `${used} is a string input, since its default is a string: it counts as 0 here`,
      fix: `a number as the default of job.inputs.${used}, or times instead of per`,
    }
  },
}

/** Inputs at their bounds. Words have no bounds and keep their default. */
const extremes = ({ job }: FileScope['config'], bound: 'min' | 'max'): Inputs =>
  Object.fromEntries(
    job.inputs.map((input) => {
      if (typeof input.byDefault === 'string') return [input.name, input.byDefault]
      return [input.name, Number.isFinite(input[bound]) ? input[bound] : bound === 'min' ? 0 : 1e9]
    }),
  )
