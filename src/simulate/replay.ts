/** Runs a recorded log through the policies of a configuration. */

import type { Config } from '../config/schema.ts'
import type { Assumptions } from './assumptions.ts'
import { JobReports } from './recorded/job-reports.ts'
import { seeded } from './random.ts'
import { RecordedCalls } from './recorded/calls.ts'
import type { RecordedLog, RecordedRequest } from './recorded/log.ts'
import { RecordedUpstreams } from './recorded/upstreams.ts'
import { SimulatedSidecar } from './sidecar.ts'
import type { SimulatedAsk } from './simulated-request.ts'
import { sliceOf, Tally } from './report/tally.ts'
import { VirtualClock } from './virtual-clock.ts'

/** The recorded run itself, to compare with. */
export function recordedRun(log: RecordedLog): Tally {
  const tally = new Tally(log.upstreams, sliceOf(log.lengthMs))
  for (let n = 0; n < log.length; n += 1) {
    const request = log.nth(n)
    const { row, ref, status, reason, attempts, arrivalMs, totalMs } = request
    tally.request({ number: row, upstream: ref.upstream, status, reason, attempts, totalMs, atMs: arrivalMs + totalMs })
    const recorded = log.attempts(request)
    for (const { atMs } of recorded) tally.call(ref.upstream, arrivalMs + atMs)
    for (let k = recorded.length; k < attempts; k += 1) tally.call(ref.upstream, arrivalMs)
  }
  for (const mark of log.marks) tally.breaker(mark)
  return tally
}

export type Replayed = {
  readonly tally: Tally
  /** Numbers of calls answered from the record, and by assumption. */
  readonly calls: { readonly recorded: number; readonly assumed: number }
  /** Requests to upstreams that are not in the configuration. */
  readonly left: number
}

/** The same log, configuration, assumptions and seed give the same result. */
export async function replay(
  log: RecordedLog,
  config: Config,
  assumptions: Assumptions,
  seed: number,
): Promise<Replayed> {
  const clock = new VirtualClock(log.epochMs)
  const tally = new Tally(log.upstreams, sliceOf(log.lengthMs))
  const reports = new JobReports(config.upstreams)
  const recorded = new RecordedUpstreams(log, new RecordedCalls(log), assumptions, reports, clock)
  const sidecar = new SimulatedSidecar(config, recorded, tally, clock, seeded(seed))
  let left = 0
  const startFrom = (n: number) => {
    if (n >= log.length) return sidecar.finish()
    const request = log.nth(n)
    clock.after(request.arrivalMs - clock.now(), () => {
      if (!sidecar.ask(request.ref.upstream, askOf(request, assumptions))) left += 1
      startFrom(n + 1)
    })
  }
  startFrom(0)
  await clock.run()
  return { tally, calls: recorded.counts, left }
}

function askOf(request: RecordedRequest, { patienceMs }: Assumptions): SimulatedAsk {
  const { row, method, path, reason, attempts, totalMs, firstByteMs = totalMs, bytesIn } = request
  // A request that was refused before its first attempt had no time left.
  const limitMs = attempts === 0 ? 0 : firstByteMs
  return {
    id: String(row),
    method,
    path,
    // The log has no queries: searches are distinguished by them, polls by their path.
    target: method === 'GET' || method === 'HEAD' ? path : `${path}?${row}`,
    bodyBytes: bytesIn,
    stalls: reason === 'client_stalled',
    leavesAfterMs: reason === 'client_gone' ? totalMs : patienceMs,
    clientTimeoutMs: reason === 'client_deadline' ? limitMs : undefined,
    jobLeftMs: reason === 'job_deadline' ? limitMs : undefined,
  }
}
