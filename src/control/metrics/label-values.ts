/** Values of each metric's labels for docs/metrics.md: closed sets of the code, and names of the configuration. */

import {
  BREAKER_STATES,
  FAULT_PLACES,
  HEDGE_OUTCOMES,
  IGNORED_FIELDS,
  INCIDENT_KINDS,
  JOB_ENDS,
  JOB_OUTCOMES,
  LOCAL_LIMITS,
  NOTIFICATION_OUTCOMES,
  RELOAD_TRIGGERS,
  RETRY_DENIALS,
  SPAN_OUTCOMES,
  TRIP_CAUSES,
  UNKEPT_CAUSES,
  UNLEARNED_CAUSES,
} from '../../events.ts'
import { ATTEMPT_LIMITS, METRICS, REQUEST_LIMITS, STATUS_CLASSES } from './metric-table.ts'

type Labels = { readonly [K in keyof typeof METRICS]: (typeof METRICS)[K]['labelNames'][number] }

/** Labels that mean the same for every metric. */
const COMMON = {
  upstream: 'name of the upstream',
  route: "match of the route; `*` for requests that match none, and for the upstream's own breaker",
  endpoint: 'origin of the endpoint, where the upstream has several',
  listener: '`listen`, or `upstreams.<name>.listen`',
} as const

const list = (values: readonly string[]) => values.map((value) => `\`${value}\``).join(', ')

const LIMIT = 'name under `limits`'

const REASON = `reason of the sidecar's own answer or cut (see errors.md); \`none\` for a response that was relayed whole`

/** Values of every label that is not among COMMON. The compiler reports a missing one. */
const OWN: {
  readonly [K in keyof Labels as Exclude<Labels[K], keyof typeof COMMON> extends never ? never : K]: {
    readonly [L in Exclude<Labels[K], keyof typeof COMMON>]: string
  }
} = {
  requests: { class: `${list(STATUS_CLASSES)}; \`none\` when no response head was sent`, reason: REASON },
  bodyBytes: { direction: list(['in', 'out']) },
  unrouted: { reason: REASON },
  attempts: { outcome: `${list(STATUS_CLASSES)}, or the reason why there was no response head (see errors.md)` },
  jobs: { outcome: list(JOB_ENDS) },
  jobSeconds: { outcome: list(JOB_ENDS) },
  jobsUnlearned: { why: list(UNLEARNED_CAUSES) },
  resumes: { outcome: list(['resumed', 'failed']) },
  shared: { by: list(['hold', 'collapse']) },
  hedges: { outcome: `${list(HEDGE_OUTCOMES)} (by the retry budget)` },
  ignoredFields: { field: list(IGNORED_FIELDS) },
  nameResolutions: { outcome: list(['changed', 'failed']) },
  jobsSeen: { outcome: list(JOB_OUTCOMES) },
  timeouts: {
    kind: `the reasons whose limit is a time: ${list([...ATTEMPT_LIMITS, ...REQUEST_LIMITS])}`,
  },
  computedSeconds: { timeout: list(['attempt', 'total']) },
  retries: { cause: 'the status, or the reason of the failure (see errors.md)' },
  retriesDenied: { why: list(RETRY_DENIALS) },
  bodyFailures: { end: 'the reason why the body ended (see errors.md)' },
  bodiesUnkept: { why: list(UNKEPT_CAUSES) },
  breakerTransitions: {
    from: list(BREAKER_STATES),
    to: list(BREAKER_STATES),
    cause: `${list(TRIP_CAUSES)}; \`none\` when it did not open`,
  },
  inputsRefused: { input: 'name of the job input' },
  storeCalls: { operation: 'name of the call of the store', outcome: list(['done', 'down']) },
  storeSeconds: { operation: 'name of the call of the store' },
  spans: { outcome: list(SPAN_OUTCOMES) },
  spanExports: { outcome: list(['done', 'failed']) },
  sharedInUse: { limit: LIMIT },
  sharedQueued: { limit: LIMIT },
  sharedMax: { limit: LIMIT },
  turnedAway: { limit: list(LOCAL_LIMITS) },
  bodiesKept: { place: list(['memory', 'disk']) },
  incidents: { about: list(INCIDENT_KINDS) },
  notifications: { outcome: `${list(NOTIFICATION_OUTCOMES)} (too many waited)` },
  faults: { where: list(FAULT_PLACES) },
  reloads: { trigger: list(RELOAD_TRIGGERS), outcome: list(['applied', 'refused']) },
  configInfo: { version: "beginning of the file's SHA-256" },
  buildInfo: { service: 'the setting `service`', version: 'version of the sidecar', node: 'version of Node' },
}

/** @returns rows of metric, label and values, in the order of the table. */
export function labelRows(): { readonly metric: string; readonly label: string; readonly values: string }[] {
  const own: Readonly<Record<string, Readonly<Record<string, string>>>> = OWN
  return Object.entries(METRICS).flatMap(([key, { name }]) =>
    Object.entries(own[key] ?? {}).map(([label, values]) => ({ metric: name, label, values })),
  )
}

/** @returns rows of label and meaning. */
export const commonLabels = (): (readonly [label: string, meaning: string])[] => Object.entries(COMMON)
