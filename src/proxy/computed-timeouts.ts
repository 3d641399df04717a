import type { Inputs } from '../job/timeouts.ts'
import type { RouteRef } from '../events.ts'
import type { RequestBody, RouteTraits, Timeouts } from '../policy/exchange.ts'
import type { Deps } from '../deps.ts'
import { receivedWithin } from '../policy/whole.ts'
import { inputsOf, isToldInBody, type JobRequest, type JobShape, jobOf } from './job-shape.ts'

/** Largest body that is read for job inputs, in bytes. */
const PEEKED_BYTES = 64 * 1024

/**
 * The shape of a request's job, and the timeouts that follow from it. Waits for the body only when an input may be in it, and at
 * most for the total timeout with default inputs.
 * @throws ProxyError `client_stalled`
 */
export async function shapeOf(
  timeouts: RouteTraits['timeouts'],
  request: JobRequest & { readonly body: RequestBody | undefined },
  jobs: JobShape,
  ref: RouteRef,
  { clock, emit }: Deps,
): Promise<{ readonly inputs: Inputs; readonly timeouts: Timeouts }> {
  const isComputed = typeof timeouts === 'function'
  const compute = (inputs: Inputs) => (isComputed ? timeouts(inputs) : timeouts)
  const job = jobOf(request.headers, jobs)
  let read = inputsOf(request, undefined, jobs, job)
  if (request.body !== undefined && isToldInBody(request, jobs)) {
    const { totalMs, idleMs } = compute(read.inputs)
    const bytes = await receivedWithin(totalMs, idleMs, request.body, PEEKED_BYTES, clock)
    read = inputsOf(request, parsed(bytes), jobs, job)
  }
  const { inputs } = read
  for (const input of read.refused) emit({ kind: 'input_refused', ref, input })
  const computed = compute(inputs)
  if (isComputed) emit({ kind: 'timeouts_computed', ref, attemptMs: computed.attemptMs, totalMs: computed.totalMs })
  return { inputs, timeouts: computed }
}

function parsed(bytes: Buffer | undefined): unknown {
  try {
    return bytes === undefined ? undefined : JSON.parse(bytes.toString())
  } catch {
    return undefined // whether it is JSON is the upstream's to say; it has no input for us
  }
}
