/** What a log cannot tell, and what is taken for it. */

export type Assumptions = {
  /**
   * What an upstream would have answered to a call that was never made: what the call nearest in time to the same upstream
   * was answered, a success, or a failure.
   */
  readonly unseen: 'nearest' | 'ok' | 'fail'
  /** After how many ms an answer would have come that the recorded run did not wait for; Infinity for never. */
  readonly lateMs: number
  /** How many ms a client waits whose patience was not tried; Infinity for ever. */
  readonly patienceMs: number
}

/** As sentences, for whoever reads the figures. */
export function told({ unseen, lateMs, patienceMs }: Assumptions): string[] {
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

export const toldOfScenario = (sidecars: number): string[] => [
  `${sidecars === 1 ? 'One sidecar' : `${sidecars} sidecars`}, whose clients ask by a Poisson process, whatever they are answered.`,
  'An upstream goes on working for a caller that has given up.',
]
