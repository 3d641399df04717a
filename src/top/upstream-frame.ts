/** The screen of one upstream in `breakwater top`: in words, its breakers, its figures, and why its requests fail. */

import { failedWords } from '../dashboard/badges.js'
import { groupsOf, groupWords } from '../dashboard/cause-groups.js'
import {
  breakerName,
  breakerWords,
  causeOf,
  count,
  forcedWords,
  lately,
  length,
  many,
  recent,
} from '../dashboard/format.js'
import { lineOf, sentenceOf } from '../dashboard/sentence.js'
import type { Standing } from '../dashboard/situation.js'
import { nowOf, type State } from '../dashboard/state.js'
import { type Span, STYLES, tabular } from './spans.ts'

const TITLE = 'faint'
const MINUTE_S = 60

export function upstreamLines(standing: Standing, state: State): Span[][] {
  const { upstream } = standing
  const now = nowOf(state)
  const sentence = sentenceOf(state, [standing])
  const failures = state.failures.filter((failure) => failure.upstream === upstream.name)
  return [
    [[lineOf(sentence, 0), STYLES[sentence.tone] ?? 'strong']],
    ...[sentence.cost, sentence.do].filter((text) => text !== '').map((text): Span[] => [[`  ${text}`]]),
    [],
    [['BREAKERS', TITLE]],
    ...upstream.breakers.map((breaker): Span[] => [
      [`${breakerName(breaker, upstream.breakers)}: `],
      [breakerWords(breaker), breaker.mode !== 'auto' ? 'warn' : breaker.state === 'closed' ? 'good' : 'bad'],
      [forcedWords(breaker, now)],
    ]),
    [],
    [['NOW', TITLE]],
    ...tabular(figures(standing, state)),
    ...(failures.length === 0 ? [] : failureLines(failures, now)),
  ]
}

function figures({ upstream }: Standing, { samples }: State): Span[][] {
  const { in_flight, limit, queued, held, retry_budget, latency_ms, connections, endpoints } = upstream
  const minute = lately(samples, upstream.name, MINUTE_S)
  return [
    [
      ['last minute'],
      [`${many(minute.requests, 'request')}, ${failedWords(minute)} failed, ${count(minute.saved)} saved by retries`],
    ],
    [['latency'], [`p50 ${length(latency_ms.p50)}, p90 ${length(latency_ms.p90)}, p99 ${length(latency_ms.p99)}`]],
    [
      ['under way'],
      [
        `${in_flight} of ${count(limit)}, ${count(queued)} wait, ${count(held)} held polls, ${many(connections, 'connection')}`,
      ],
    ],
    [['retry budget'], [count(retry_budget)]],
    ...endpoints.map(({ origin, in_flight: own, available }): Span[] => [
      ['endpoint'],
      [`${origin}: ${available ? 'called' : 'out'}, ${own} under way`, available ? 'good' : 'bad'],
    ]),
  ]
}

function failureLines(failures: State['failures'], now: string | undefined): Span[][] {
  const groups = groupsOf(failures).map((group): Span[] => [
    [`${count(group.count)} ×`],
    [groupWords(group), group.isEffect ? 'faint' : 'bad'],
    [group.route],
  ])
  return [
    [],
    [['WHY REQUESTS FAILED', TITLE]],
    ...tabular(groups),
    [],
    [['NEWEST', TITLE]],
    ...failures.map((failure): Span[] => {
      const outcomes = failure.history.map(({ outcome, ms }) => `${outcome} ${length(ms)}`).join(', ')
      return [
        [`${recent(failure.at, now)} `, 'faint'],
        [`${failure.method} ${failure.path} `],
        [causeOf(failure), 'bad'],
        [`  ${length(failure.total_ms)}${outcomes === '' ? '' : ` (${outcomes})`}`, 'faint'],
      ]
    }),
  ]
}
