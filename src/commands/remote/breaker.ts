import { orList, suggestion } from '../../config/file/suggest.ts'
import { durationMs } from '../../config/kinds/units.ts'
import { isoTime, systemClock } from '../../clock.ts'
import type { Api } from '../../dashboard/api.js'
import { breakerName, breakerWords, forcedWords } from '../../dashboard/format.js'
import type { BreakerMode, UpstreamView } from '../../dashboard/shapes.ts'
import { printed, type Span } from '../../top/spans.ts'
import { command, type Surroundings } from '../command.ts'
import { UsageError } from '../usage-error.ts'
import { ASKING_OPTIONS, ASKING_USAGE, asking, printedJson, Refused } from './sidecar.ts'
import { upstreamNamed } from './upstream-named.ts'

/** Words of the command line for the modes of the API. */
export const MODES: Readonly<Record<string, BreakerMode>> = {
  open: 'forced-open',
  closed: 'forced-closed',
  observe: 'observe',
  auto: 'auto',
}
/** End of a mode where none is given, as on the page: somebody may forget it. */
export const USUAL_END = '30m'
/** Value of `--for` for a mode without an end. */
const NEVER = 'never'

export const breakerCommand = command({
  name: 'breaker',
  usage: `  breakwater breaker UPSTREAM ${ASKING_USAGE}
                                   show an upstream's breakers, and who holds them
  breakwater breaker UPSTREAM open|closed|observe|auto [--for 30m|never] [--until TIME] [--reason TEXT] [--by NAME]
              [--route 'METHOD /path'|none] [--endpoint URL] …
                                   open refuses every call, closed lets every call through, observe only reports, auto
                                   lets it decide for itself again. The mode ends after 30m unless --for or --until says
                                   otherwise. --by: $USER. --route, --endpoint: one breaker; --route none: that of the
                                   routes without one of their own
`,
  options: {
    ...ASKING_OPTIONS,
    for: { type: 'string' },
    until: { type: 'string' },
    reason: { type: 'string' },
    by: { type: 'string' },
    route: { type: 'string' },
    endpoint: { type: 'string' },
  },
  allowPositionals: true,
  run: (values, [name, word, ...others], surroundings) => {
    if (name === undefined || others.length > 0) throw new UsageError('expected an upstream, and a mode to set')
    const stray = word === undefined && TERMS.find((one) => values[one] !== undefined)
    if (stray) throw new UsageError(`--${stray} belongs to a mode to set: expected ${orList(Object.keys(MODES))}`)
    const order = word === undefined ? undefined : orderOf(word, values, surroundings.env)
    return asking(values, surroundings, async (api, signal) => {
      const before = await upstreamNamed(name, api, signal)
      const upstream = order === undefined ? before : await set(before, order, api, signal)
      if (values.json) surroundings.write(printedJson(upstream))
      else surroundings.write(printed(linesOf(upstream), surroundings.terminal.isColoured()))
      return 0
    })
  },
})

const TERMS = ['for', 'until', 'reason', 'by', 'route', 'endpoint'] as const

type Terms = {
  readonly for?: string | undefined
  readonly until?: string | undefined
  readonly reason?: string | undefined
  readonly by?: string | undefined
  readonly route?: string | undefined
  readonly endpoint?: string | undefined
}

/** Body of `PUT /v1/upstreams/{name}/breaker`. */
type Order = Omit<Terms, 'route'> & { readonly mode: BreakerMode; readonly route?: string | null }

/** @throws UsageError for what makes no sense. */
export function orderOf(word: string, terms: Terms, env: Surroundings['env']): Order {
  const { for: length, until, reason, by = env.USER, route, endpoint } = terms
  const mode = MODES[word]
  if (mode === undefined) {
    const meant = suggestion(word, Object.keys(MODES))
    throw new UsageError(
      `unknown mode ${word}: expected ${orList(Object.keys(MODES))}${meant === undefined ? '' : `, did you mean ${meant}?`}`,
    )
  }
  if (length !== undefined && until !== undefined) throw new UsageError('either --for or --until')
  if (mode === 'auto' && (length ?? until) !== undefined) throw new UsageError('auto has no end')
  if (length !== undefined && length !== NEVER && durationMs(length) === undefined)
    throw new UsageError(`--for: expected a duration such as 30m, or ${NEVER}`)
  if (until !== undefined && Number.isNaN(Date.parse(until)))
    throw new UsageError('--until: expected a time such as 2026-01-31T06:00:00Z')
  return {
    mode,
    ...endOf(mode, length, until),
    ...(reason === undefined ? {} : { reason }),
    ...(by === undefined || by === '' ? {} : { by }),
    ...(route === undefined ? {} : { route: route === 'none' ? null : route }),
    ...(endpoint === undefined ? {} : { endpoint }),
  }
}

function endOf(mode: BreakerMode, length: string | undefined, until: string | undefined) {
  if (until !== undefined) return { until: isoTime(Date.parse(until)) }
  if (mode === 'auto' || length === NEVER) return {}
  return { for: length ?? USUAL_END }
}

/** @throws Refused for a breaker that the upstream does not have: the answer of the API does not name those that it has. */
async function set(before: UpstreamView, order: Order, api: Api, signal: AbortSignal): Promise<UpstreamView> {
  const { route, endpoint } = order
  const meant = before.breakers.some(
    (breaker) =>
      (route === undefined || breaker.route === route) && (endpoint === undefined || breaker.endpoint === endpoint),
  )
  if (!meant) {
    const names = before.breakers.map(({ route: own, endpoint: at }) => [own ?? 'none', ...(at === null ? [] : [at])])
    const all = names.map((one) => one.join(' at ')).join(', ')
    const only = 'it has one for all its routes: leave --route and --endpoint out'
    throw new Refused(`${before.name} has no such breaker; ${names.length === 1 ? only : `there are ${all}`}`)
  }
  const answer = await api.call('PUT', `v1/upstreams/${encodeURIComponent(before.name)}/breaker`, order, signal)
  return JSON.parse(await answer.text())
}

function linesOf({ name, breakers }: UpstreamView): Span[][] {
  const now = isoTime(systemClock.wallNow())
  return breakers.map((breaker): Span[] => [
    [`${name}, ${breakerName(breaker, breakers)}: `],
    [breakerWords(breaker), breaker.mode !== 'auto' ? 'warn' : breaker.state === 'closed' ? 'good' : 'bad'],
    [forcedWords(breaker, now)],
  ])
}
