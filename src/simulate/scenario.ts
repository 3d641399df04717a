/** A scenario file: made-up traffic, upstreams and faults. */

import { z } from 'zod'
import { type ConfigFault, faultAt, schemaFaults } from '../config/file/faults.ts'
import { duration, integer, number, oneOf, size, text } from '../config/kinds/kinds.ts'
import { Source } from '../config/file/source.ts'

const LONGEST = '1d'

/** Given by median and 99th percentile; the logarithm is normally distributed. */
const spread = z.strictObject({ p50: duration('0ms', '1h'), p99: duration('0ms', '1h') })

const step = z.strictObject({ from: duration('0ms', LONGEST), rate: number(0, 1_000_000) })

const steps = z
  .array(step)
  .min(1)
  .refine((all) => all.every(({ from }, i) => i === 0 || from > (all[i - 1]?.from ?? 0)), {
    error: 'each step has to be later than the one before',
  })

const traffic = z.strictObject({
  upstream: text,
  request: text.regex(/^[A-Z]+ \/\S*$/, { error: 'expected METHOD /path, such as GET /jobs/{id}' }),
  rate: z.union([number(0, 1_000_000), steps]),
  body: size('0B', '1GiB').default(0),
  patience: duration('1ms', LONGEST).optional(),
})

const fault = z.strictObject({
  as: oneOf(['refused', 'silent', 'error', 'slow', 'failedJobs']),
  from: duration('0ms', LONGEST).default(0),
  lasts: duration('1ms', LONGEST).optional(),
  share: number(0, 1).default(1),
  status: integer(400, 599).default(503),
  factor: number(1, 1_000).default(10),
})

const upstream = z.strictObject({
  latency: spread,
  body: spread.optional(),
  capacity: z.strictObject({ workers: integer(1, 10_000), queue: integer(0, 1_000_000) }).optional(),
  faults: z.array(fault).default([]),
})

const SCENARIO = z.strictObject({
  lasts: duration('1s', LONGEST),
  sidecars: integer(1, 100_000).default(1),
  traffic: z.array(traffic).min(1, { error: 'without traffic there is nothing to see' }),
  upstreams: z.record(z.string(), upstream),
})

/** Lengths in ms, sizes in bytes, rates in requests per second and sidecar. */
export type Scenario = z.infer<typeof SCENARIO>
export type Traffic = Scenario['traffic'][number]
export type ScriptedUpstream = Scenario['upstreams'][string]

export type LoadedScenario =
  | { readonly ok: true; readonly scenario: Scenario }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] }

/** Largest number of reported faults. */
const MAX_FAULTS = 50

/** @param file name for the faults. */
export function loadScenario(written: string, file: string): LoadedScenario {
  const source = new Source(written)
  const excess = source.excess()
  const textual = [...source.faults(), ...(excess === undefined ? source.repeatedKeys() : [excess])]
  if (textual.length > 0) {
    return faulty(textual.map(({ place, message }) => faultAt(place, [], message, undefined, source, file)))
  }
  const raw = plainValue(source)
  if (raw instanceof Error) return faulty([faultAt(source.valueAt([]), [], raw.message, undefined, source, file)])
  const parsed = SCENARIO.safeParse(raw ?? {})
  if (!parsed.success) return faulty(schemaFaults(parsed.error, SCENARIO, source, file, MAX_FAULTS))
  const { traffic, upstreams } = parsed.data
  const strays = traffic.flatMap(({ upstream: name }, i) => {
    const path = ['traffic', i, 'upstream']
    if (upstreams[name] !== undefined) return []
    return [faultAt(source.valueAt(path), path, 'no such upstream in this file', undefined, source, file)]
  })
  return strays.length > 0 ? faulty(strays) : { ok: true, scenario: parsed.data }
}

const faulty = (faults: readonly ConfigFault[]): LoadedScenario => ({ ok: false, faults })

/** An Error when anchors cannot be resolved: too many, or in a circle. */
function plainValue({ document }: Source): unknown {
  try {
    return document.toJS()
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
