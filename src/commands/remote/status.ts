import { inForceWords } from '../../dashboard/config-words.js'
import { badgeOf, failedWords, passedSince } from '../../dashboard/badges.js'
import { count, lately, length } from '../../dashboard/format.js'
import { lineOf, type Sentence, sentenceOf } from '../../dashboard/sentence.js'
import { standingsOf, type Standing, troublesOf } from '../../dashboard/situation.js'
import { nowOf, type State } from '../../dashboard/state.js'
import { printed, type Span, STYLES, tabular } from '../../top/spans.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { command } from '../command.ts'
import { readState } from './read-state.ts'
import { ASKING_OPTIONS, ASKING_USAGE, asking, printedJson } from './sidecar.ts'

const RATE_S = 60
const LIVE = { now: 'live', detail: '', since: undefined } as const

export const statusCommand = command({
  name: 'status',
  usage: `  breakwater status [--strict] ${ASKING_USAGE}
                                   show what is wrong, since when, at what cost and what to do, as the page says it; then
                                   the other troubles, and the upstreams, worst first. The exit code is 1 when something
                                   is broken; --strict: also for warnings, such as a forced breaker
`,
  options: { ...ASKING_OPTIONS, strict: { type: 'boolean', default: false } },
  allowPositionals: false,
  run: (values, _positionals, surroundings) =>
    asking(values, surroundings, async (api, signal) => {
      const state = await readState(api, signal)
      const status = statusOf(state)
      surroundings.write(
        values.json
          ? printedJson(documentOf(state, status))
          : printed(linesOf(state, status), surroundings.terminal.isColoured()),
      )
      if (status.sentences.some(({ tone }) => tone === 'bad')) return EXIT.bad
      return values.strict && !status.isWell ? EXIT.bad : EXIT.done
    }),
})

type Status = {
  /** Worst first; one that says that all is well where nothing is wrong. */
  readonly sentences: readonly [Sentence, ...Sentence[]]
  readonly isWell: boolean
  readonly standings: readonly Standing[]
}

export function statusOf(state: State): Status {
  const troubles = troublesOf(state, LIVE)
  const others = troubles.slice(1).map((trouble) => sentenceOf(state, [trouble]))
  return {
    sentences: [sentenceOf(state, troubles), ...others],
    isWell: troubles.length === 0,
    standings: standingsOf(state),
  }
}

function linesOf(state: State, { sentences, standings }: Status): Span[][] {
  const [worst, ...others] = sentences
  const told = (name: string, text: string): Span[][] =>
    text === '' ? [] : [[[`  ${name.padEnd(9)}`, 'faint'], [text]]]
  const now = nowOf(state)
  return [
    [[lineOf(worst, others.length), STYLES[worst.tone] ?? 'strong']],
    ...told('cost', worst.cost),
    ...told('do', worst.do),
    ...told('runbook', worst.runbook),
    ...others.map((other): Span[] => [
      ['  also     ', 'faint'],
      [lineOf(other, 0), STYLES[other.tone] ?? 'strong'],
    ]),
    [],
    ...tabular([
      ['STATE', 'UPSTREAM', 'SINCE', 'RATE', 'FAILED, 1 MIN', 'P99'].map((title): Span => [title, 'faint']),
      ...standings.map((standing) => upstreamLine(standing, state, now)),
    ]),
    ...(state.config === undefined ? [] : [[], [[inForceWords(state.config), 'faint'] as Span]]),
  ]
}

function upstreamLine(standing: Standing, state: State, now: string | undefined): Span[] {
  const { words, look } = badgeOf(standing)
  const { upstream, since } = standing
  const minute = lately(state.samples, upstream.name, RATE_S)
  return [
    [words, STYLES[look] ?? 'strong'],
    [upstream.name],
    [since === undefined ? '' : passedSince(since, now)],
    [`${count(perSecond(state, minute.requests))}/s`],
    [failedWords(minute)],
    [length(upstream.latency_ms.p99)],
  ]
}

const perSecond = ({ samples }: State, requests: number) => requests / Math.max(1, Math.min(RATE_S, samples.length))

function documentOf(state: State, { sentences, isWell: well, standings }: Status) {
  const [worst, ...others] = sentences
  return {
    well,
    sentence: worst,
    others,
    upstreams: standings.map((standing) => {
      const { kind, upstream, since, causes, cost } = standing
      const minute = lately(state.samples, upstream.name, RATE_S)
      return {
        name: upstream.name,
        state: kind,
        words: badgeOf(standing).words,
        since: since ?? null,
        rate: perSecond(state, minute.requests),
        last_minute: minute,
        p99_ms: upstream.latency_ms.p99,
        causes,
        cost,
      }
    }),
    config: state.config === undefined ? null : { file: state.config.file, version: state.config.version },
    draining: state.isDraining,
  }
}
