/** Time limits that are never reached, or that come after the client has left. */

import { writtenMs } from '../kinds/units.ts'
import type { RouteScope, Rules } from './rule.ts'

export const TIMING: Rules<RouteScope> = {
  'total-over-client-timeout': ({ route, lengths }) =>
    lengths.total < route.clientTimeout
      ? undefined
      : {
          at: ['timeout.total', 'clientTimeout'],
          reason: `the client gives up after ${writtenMs(route.clientTimeout)}, an answer may take ${writtenMs(lengths.total)}: whatever a retry brings later reaches nobody`,
          fix: `a total below ${writtenMs(route.clientTimeout)}; or, where the client waits longer, say so: clientTimeout: ${writtenMs(Math.ceil(lengths.total / 5_000) * 6_000)}`,
        },

  'attempt-over-total': ({ lengths }) =>
    lengths.attempt <= lengths.total
      ? undefined
      : {
          at: ['timeout.attempt', 'timeout.total'],
          reason: `one attempt may take ${writtenMs(lengths.attempt)}, all of them together ${writtenMs(lengths.total)}: the attempt's limit never applies, and a slow first attempt leaves no time for a second`,
          fix: `an attempt well below ${writtenMs(lengths.total)}, or equal to it where one long attempt is meant`,
        },

  'connect-over-total': ({ lengths }) =>
    lengths.connect < lengths.total
      ? undefined
      : {
          at: ['timeout.connect', 'timeout.total'],
          reason: `connecting may take ${writtenMs(lengths.connect)}, all attempts together ${writtenMs(lengths.total)}: an address that swallows packets uses up all the time, and no other attempt is made`,
          fix: 'a connect of a few seconds: within a data centre it takes milliseconds, or it does not come',
        },

  'hold-over-client-timeout': ({ route: { hold, clientTimeout } }) =>
    hold === false || hold.upTo < clientTimeout
      ? undefined
      : {
          at: ['hold.upTo', 'clientTimeout'],
          reason: `polls are held for ${writtenMs(hold.upTo)}, the client gives up after ${writtenMs(clientTimeout)}: it sees time-outs in place of a job that goes on`,
          fix: `an upTo well below ${writtenMs(clientTimeout)}; or, where the client waits longer, say so with clientTimeout`,
        },

  'hold-over-total': ({ route: { hold }, lengths }) =>
    hold === false || hold.upTo < lengths.total
      ? undefined
      : {
          at: ['hold.upTo', 'timeout.total'],
          reason: `polls are held for ${writtenMs(hold.upTo)}, and total ends them after ${writtenMs(lengths.total)}: the rest of the hold never happens`,
          fix: `an upTo below ${writtenMs(lengths.total)}, or a longer total`,
        },

  'hold-polls-once': ({ route: { hold } }) =>
    hold === false || hold.every < hold.upTo
      ? undefined
      : {
          at: ['hold.every', 'hold.upTo'],
          reason: `the upstream is asked every ${writtenMs(hold.every)}, and a hold ends after ${writtenMs(hold.upTo)}: it is asked once, and the client waits all the same`,
          fix: 'an every that is a small part of upTo, such as 2s of 20s',
        },

  'queue-over-total': ({ upstream: { concurrency }, lengths }) =>
    concurrency.queueTimeout < lengths.total
      ? undefined
      : {
          at: ['timeout.total', 'concurrency.queueTimeout'],
          reason: `a request may wait ${writtenMs(concurrency.queueTimeout)} for its turn, and has ${writtenMs(lengths.total)} in all: what waits that long is answered 504, and was never sent`,
          fix: `a queueTimeout of a few seconds, well below ${writtenMs(lengths.total)}`,
        },
}
