/** Assumptions about what a log does not tell. */

export type Assumptions = {
  /** Answer to a call that was never made: that of the nearest call to the same upstream, a success, or a failure. */
  readonly unseen: 'nearest' | 'ok' | 'fail'
  /** Time in ms of an answer that the recorded run did not wait for; Infinity for never. */
  readonly lateMs: number
  /** Time in ms that a client waits who did not leave; Infinity for ever. */
  readonly patienceMs: number
}

/** The assumptions as sentences. */
export function assumptionLines({ unseen, lateMs, patienceMs }: Assumptions): string[] {
  return [
    UNSEEN[unseen],
    lateMs === Number.POSITIVE_INFINITY
      ? 'An answer that the recorded run gave up waiting for would never have come.'
      : `An answer that the recorded run gave up waiting for would have come after ${lateMs} ms.`,
    patienceMs === Number.POSITIVE_INFINITY
      ? 'A client that did not leave in the recorded run waits for ever.'
      : `A client that did not leave in the recorded run waits ${patienceMs} ms.`,
    'Clients ask when they asked, whatever they are answered. Timeouts that are computed from a job take its inputs by default.',
  ]
}

const UNSEEN = {
  nearest:
    'A call that was never made would have been answered as the call to that upstream nearest in time was; where that one went well, as the nearest on the same route that did.',
  ok: 'A call that was never made would have gone well, as the nearest on the same route that did.',
  fail: 'A call that was never made would have failed, as the nearest to that upstream that did.',
}

export const scenarioAssumptionLines = (sidecars: number): string[] => [
  `${sidecars === 1 ? 'One sidecar' : `${sidecars} sidecars`}, whose clients ask by a Poisson process, whatever they are answered.`,
  'An upstream goes on working for a caller that has given up.',
]
