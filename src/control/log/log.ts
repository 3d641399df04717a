/** JSON lines of the log. The only file that writes to stdout. */

import { type DestinationStream, type LevelWithSilent, type Logger, type LoggerOptions, pino } from 'pino'
import type { Event, RequestEvent, RouteRef } from '../../events.ts'
import { type Clock, isoTime } from '../../clock.ts'
import { LAG_MS } from '../../incidents/fact.ts'
import { microseconds, shortened, toldAttempts } from './attempts.ts'
import { Bursts } from './bursts.ts'
import { LineWriter } from './lines.ts'
import { masked } from './masked.ts'
import { writeReload } from './reload-report.ts'

export type LogSettings = {
  readonly level: LevelWithSilent
  /** Whether each request gets a line. */
  readonly access: boolean
  readonly service: string
}

export type Log = {
  /** Uses these settings for later lines. */
  set(settings: Pick<LogSettings, 'level' | 'access'>): void
  /** Takes one event; neither throws nor waits. @param at wall-clock ms of it, for its line; now when it is not given. */
  record(event: Event, at?: number): void
  /**
   * Writes held lines to stdout. They arrive whole when the process ends by itself; `process.exit` drops what the reader of a
   * pipe has not taken (64 KiB fit in).
   */
  flush(): void
}

/**
 * Lines hold no header and no query. A request that the sidecar answers with 5xx is a warning; an upstream's own 5xx is not.
 * @param destination takes the lines instead of stdout.
 */
export function createLog(settings: LogSettings, clock: Clock, destination?: DestinationStream): Log {
  const bursts = new Bursts(clock)
  const time = new LineTime(clock)
  if (destination !== undefined) {
    const fold = createFold(createLogger(settings, time, destination), settings.access, bursts)
    return { ...fold, record: time.stamping(fold.record), flush: () => bursts.close() }
  }
  const stdout = new LineWriter(process.stdout, (lines) => logger.warn({ lines }, 'log lines lost'))
  const logger = createLogger(settings, time, stdout)
  const flush = () => {
    bursts.close()
    stdout.flush()
  }
  process.once('exit', flush)
  const fold = createFold(logger, settings.access, bursts)
  return { ...fold, record: time.stamping(fold.record), flush }
}

/** Time of a line: that of its event, so that whoever reads the line and whoever took the event agree. */
class LineTime {
  readonly #clock: Clock
  #at: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#at ?? this.#clock.wallNow()
  }

  stamping(record: (event: Event) => void): Log['record'] {
    return (event, at) => {
      this.#at = at
      try {
        record(event)
      } finally {
        this.#at = undefined
      }
    }
  }
}

function createLogger({ level, service }: LogSettings, time: LineTime, destination: DestinationStream): Logger {
  const options: LoggerOptions = {
    level,
    base: { service },
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: described },
    timestamp: () => `,"time":"${isoTime(time.now())}"`,
  }
  return pino(options, destination)
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: it is mostly the switch below.
function createFold(
  logger: Logger,
  asked: boolean,
  bursts: Bursts,
): { readonly record: (event: Event) => void; readonly set: Log['set'] } {
  let access = asked
  let verbose = logger.isLevelEnabled('debug')
  const set: Log['set'] = (settings) => {
    access = settings.access
    logger.level = settings.level
    verbose = logger.isLevelEnabled('debug')
  }
  const summarised = (level: 'warn' | 'error', fields: object, error: unknown, message: string) => {
    const same = `${message} ${JSON.stringify(fields)} ${error === undefined ? '' : described(error).message}`
    const err = error === undefined ? {} : { err: error }
    bursts.tell(same, (repeats) =>
      logger[level]({ ...fields, ...err, ...(repeats === undefined ? {} : { repeats }) }, message),
    )
  }
  // biome-ignore lint/complexity/noExcessiveLinesPerFunction: one switch over the kinds of events, a few lines a case; the compiler checks that no kind is missing.
  const record = (event: Event): void => {
    switch (event.kind) {
      case 'request':
        if (access) writeAccess(logger, event)
        return
      case 'attempt':
        if (!verbose) return
        logger.debug(
          {
            ...placeOf(event.ref),
            status: event.status,
            reason: event.reason,
            detail: event.said,
            connect_ms: ms(event.connectMs),
            duration_ms: ms(event.durationMs),
          },
          'attempt',
        )
        return
      case 'retry':
        if (verbose) logger.debug({ ...placeOf(event.ref), cause: event.cause, wait_ms: ms(event.waitMs) }, 'retry')
        return
      case 'retry_denied':
        if (event.why === 'budget') summarised('warn', placeOf(event.ref), undefined, 'retry budget spent')
        else if (verbose) logger.debug({ ...placeOf(event.ref), why: event.why }, 'retry denied')
        return
      case 'stale_connection':
        if (verbose) logger.debug(placeOf(event.ref), 'stale connection')
        return
      case 'not_http': {
        const { ref, detail, received } = event
        if (verbose) logger.debug({ ...(ref && placeOf(ref)), detail, received: received || undefined }, 'not HTTP')
        return
      }
      case 'body_failed':
        if (event.end === 'cancelled') logger.debug({ ...placeOf(event.ref), end: event.end }, 'body failed')
        else summarised('warn', { ...placeOf(event.ref), end: event.end }, undefined, 'body failed')
        return
      case 'body_unkept':
        if (event.why === 'disk')
          summarised('warn', { ...placeOf(event.ref), why: event.why }, event.error, 'body unkept')
        else logger.debug({ ...placeOf(event.ref), why: event.why }, 'body unkept')
        return
      case 'input_refused':
        if (verbose) logger.debug({ ...placeOf(event.ref), input: event.input }, 'input refused')
        return
      case 'shared':
        if (verbose) logger.debug({ ...placeOf(event.ref), by: event.by }, 'shared')
        return
      case 'hedge':
        if (verbose) logger.debug({ ...placeOf(event.ref), outcome: event.outcome }, 'hedge')
        return
      case 'name':
        if (event.outcome === 'changed') logger.info({ host: event.host }, 'name changed')
        else summarised('warn', { host: event.host }, event.error, 'name not resolved')
        return
      case 'secret_file':
        if (event.outcome === 'read') logger.info({ path: event.path }, 'secret file read')
        else logger.warn({ path: event.path, err: event.error }, 'secret file not read: its last value is kept')
        return
      case 'breaker': {
        const { upstream, route, endpoint, from, to, cause, failure, openMs } = event
        const fields = { upstream, route, endpoint, from, to, cause, failure, open_ms: ms(openMs) }
        logger[to === 'open' ? 'warn' : 'info'](fields, `breaker ${to}`)
        return
      }
      case 'breaker_mode': {
        const { upstream, route, endpoint, mode, hasEnded, forced } = event
        const { reason, by, until } = forced ?? {}
        const fields = { upstream, route, endpoint, mode, reason, by, until: until && isoTime(until) }
        logger[mode === 'auto' ? 'info' : 'warn'](fields, hasEnded ? 'breaker mode ended' : 'breaker mode set')
        return
      }
      case 'breaker_window_restarted': {
        const { upstream, route, endpoint } = event
        logger.info({ upstream, route, endpoint }, 'breaker window restarted')
        return
      }
      case 'resume':
        logger.info({ ...placeOf(event.ref), resumed: event.resumed, why: event.why }, 'resume')
        return
      case 'job_seen':
        if (event.outcome === 'failed') logger.info({ ...placeOf(event.ref), job: event.id }, 'job failed')
        return
      case 'hold_outlasts_client':
        logger.warn(impatienceLine(event), 'hold outlasts client')
        return
      case 'job_created':
        if (verbose) logger.debug({ ...placeOf(event.ref), job: shortened(event.id) }, 'job created')
        return
      case 'job_reported':
        return
      case 'job_unlearned':
        summarised('warn', { ...placeOf(event.ref), why: event.why }, undefined, 'job id not learned')
        return
      case 'job_ended': {
        const { ref, id, outcome, durationMs, polls, attempts, bytes, statuses } = event
        const figures = { duration_ms: ms(durationMs), polls, attempts, bytes, statuses }
        logger.info({ job: shortened(id), ...placeOf(ref), outcome, ...figures }, 'job ended')
        return
      }
      case 'timeouts_computed':
      case 'store_call':
      case 'fleet_call':
        return
      case 'fleet':
        if (event.isUp) logger.info('fleet up')
        else logger.warn({ err: event.error }, 'fleet down: its Redis does not answer')
        return
      case 'fleet_pods':
        logger.info({ pods: event.pods }, 'fleet')
        return
      case 'fleet_share': {
        const { key, share, pods } = event
        if (event.isAlone) logger.warn({ limit: key, share, pods }, 'limit of the fleet: own share')
        else logger.info({ limit: key, share, pods }, 'limit of the fleet: shared')
        return
      }
      case 'store':
        if (event.isUp) logger.info('checkpoint store up')
        else logger.warn({ err: event.error }, 'checkpoint store down')
        return
      case 'config_warning': {
        const { rule, place, setting, reason, fix } = event
        logger.warn({ rule, place, setting, reason, fix }, 'configuration')
        return
      }
      case 'listening':
        logger.info({ name: event.name, address: event.address }, 'listening')
        return
      case 'closing':
        logger.info({ name: event.name, address: event.address }, 'closing listener')
        return
      case 'reload':
        writeReload(logger, event)
        return
      case 'draining':
        logger.info({ in_flight: event.inFlight }, 'draining')
        return
      case 'drained':
        if (event.cut > 0) logger.warn({ cut: event.cut }, 'drained')
        else logger.info('drained')
        return
      case 'spans':
        if (event.outcome === 'exported') return
        summarised('warn', { outcome: event.outcome }, undefined, 'spans lost')
        return
      case 'span_export':
        if (event.error !== undefined) summarised('warn', {}, event.error, 'spans not taken')
        return
      case 'turned_away':
        summarised('warn', { listener: event.listener, limit: event.limit }, undefined, 'connection turned away')
        return
      case 'few_descriptors':
        logger.warn(
          { descriptors: event.descriptors, connections: event.connections },
          'descriptor limit bounds connections of clients',
        )
        return
      case 'stalled':
        if (event.ms >= LAG_MS) logger.warn({ ms: ms(event.ms) }, 'loop stalled')
        else bursts.tell('loop stalled', (repeats) => logger.warn({ ms: ms(event.ms), repeats }, 'loop stalled'))
        return
      case 'store_set_aside':
        logger.error(
          { path: event.path, why: event.why },
          'checkpoint store set aside: its file was malformed, a new one was begun',
        )
        return
      case 'store_evicts':
        if (event.why === undefined) logger.info('checkpoint store keeps records')
        else logger.warn({ why: event.why }, 'checkpoint store may lose records')
        return
      case 'clock_jump':
        logger.warn({ by_ms: event.byMs }, 'wall clock jumped: checkpoints expire by the time from before for an hour')
        return
      case 'disk':
        if (event.isEnough) logger.info({ details: event.details }, 'disk space enough')
        else logger.warn({ details: event.details }, 'disk space low')
        return
      case 'incident':
        writeIncident(logger, event)
        return
      case 'notification':
        if (event.outcome === 'delivered') return
        summarised('warn', { outcome: event.outcome }, event.error, 'notification not delivered')
        return
      case 'fault':
        summarised('error', { where: event.where }, event.error, 'fault')
        return
      default:
        event satisfies never
    }
  }
  return { record, set }
}

function writeAccess(logger: Logger, event: RequestEvent): void {
  const level = event.status >= 500 && event.reason !== undefined ? 'warn' : 'info'
  if (!logger.isLevelEnabled(level)) return
  const fields = {
    upstream: event.ref?.upstream,
    route: event.ref?.route,
    method: event.method,
    path: event.path,
    status: event.status,
    attempts: event.attempts,
    reason: event.reason,
    limit: event.limit && `${event.limit.key}: ${event.limit.value}`,
    detail: event.detail,
    ignored: event.ignored.length > 0 ? event.ignored : undefined,
    queue_ms: ms(event.queueMs),
    backoff_ms: ms(event.backoffMs),
    breaker_ms: event.breakerMs > 0 ? ms(event.breakerMs) : undefined,
    retry_after_ms: event.retryAfterMs > 0 ? ms(event.retryAfterMs) : undefined,
    connect_ms: ms(event.connectMs),
    first_byte_ms: ms(event.firstByteMs),
    total_ms: ms(event.totalMs),
    bytes_in: event.bytesIn,
    bytes_out: event.bytesOut,
    shared: event.shared || undefined,
    job_id: event.job && shortened(event.job.id),
    job: event.history.findLast(({ job }) => job !== undefined)?.job,
    history: toldAttempts(event),
    retry_denied: event.retryDenied,
    request_id: event.id,
    trace_id: event.trace?.traceId,
  }
  logger[level](fields, 'request')
}

function writeIncident(logger: Logger, event: Extract<Event, { kind: 'incident' }>): void {
  const { phase, id: incident, about, upstream, summary, durationMs, failed, refused, saved } = event
  if (phase === 'opened') return logger.warn({ incident, about, upstream, summary }, 'incident opened')
  const cost = { duration_ms: ms(durationMs), failed, refused, saved }
  logger.info({ incident, about, upstream, summary, ...cost }, 'incident closed')
}

/** In the words of a warning of `check`. */
const impatienceLine = ({
  ref,
  client,
  patienceMs,
  heldMs,
  reason,
  fix,
}: Event & { readonly kind: 'hold_outlasts_client' }) => ({
  rule: 'hold-outlasts-client',
  ...placeOf(ref),
  client: client || undefined,
  patience_ms: ms(patienceMs),
  held_ms: ms(heldMs),
  setting: 'hold.upTo',
  reason,
  fix,
})

/** Copies upstream and route only: the data plane's object may have more. */
const placeOf = ({ upstream, route }: RouteRef) => ({ upstream, route })

const ms = (value: number | undefined) => (value === undefined ? undefined : microseconds(value))

/** Shown parts of an error. Of its properties only the code, since libraries attach requests with all headers. */
function described(error: unknown) {
  if (!(error instanceof Error)) {
    return { type: typeof error, message: masked(typeof error === 'object' ? 'no error' : String(error)) }
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return { type: error.name, code, message: masked(error.message), stack: masked(traceOf(error, MAX_CAUSES)) }
}

/** Shown chain of causes; stops at a circle. */
const MAX_CAUSES = 5

function traceOf(error: Error, depth: number): string {
  const own = error.stack ?? error.message
  return error.cause instanceof Error && depth > 0 ? `${own}\ncaused by ${traceOf(error.cause, depth - 1)}` : own
}
