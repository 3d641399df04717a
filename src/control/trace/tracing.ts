import type { Clock } from '../../clock.ts'
import type { Config } from '../../config/schema.ts'
import type { Emit, Event } from '../../events.ts'
import { Collector } from './collector.ts'
import { Exporter } from './exporter.ts'
import { encodeSpan } from './otlp.ts'
import { Spans } from './spans.ts'

export type Tracing = {
  /** Takes one event; neither throws nor waits. */
  record(event: Event): void
  /** Sends the waiting spans for a bounded time. */
  finish(): Promise<void>
  /** Ends calls under way. */
  close(): void
}

/** Longest wait for the collector at the end of the process, in ms. */
const FINISH_MS = 2_000

/** Attributes of this process, and how spans are sent. */
type About = { readonly version: string; readonly instance: string }
type Outside = { readonly clock: Clock; readonly random: () => number; readonly emit: Emit }

/** Sends the spans of recorded requests to the configured collector. */
export function startTracing(config: Config, about: About, { clock, random, emit }: Outside): Tracing {
  const { endpoint, headers, timeout, queue, interval } = config.tracing
  const resource = {
    'service.instance.id': about.instance,
    ...Object.fromEntries(config.tracing.resource),
    'service.name': config.service,
    'service.version': about.version,
    'telemetry.sdk.language': 'nodejs',
  }
  const collector = new Collector({ url: `${endpoint}/v1/traces`, headers, timeoutMs: timeout }, resource, clock)
  const exporter = new Exporter({ queue, intervalMs: interval }, collector.post, clock, random, emit)
  const spans = new Spans(clock, (span) => exporter.take(encodeSpan(span)))
  return {
    record: (event) => spans.record(event),
    finish: () => exporter.finish(FINISH_MS),
    close: () => {
      exporter.close()
      collector.close()
    },
  }
}
