/** Says what the rules of a route would make of a response. Sends nothing. */

import type { Origins } from '../config/file/origins.ts'
import type { Config, RouteConfig } from '../config/schema.ts'
import type { Condition, Verdict } from '../job/condition.ts'
import { type Finding, findingOn } from '../job/condition-text.ts'
import { compileMatch } from '../job/match.ts'
import type { RawHeaders } from '../net/fields.ts'
import { reportOf } from '../policy/failure-when/report.ts'
import { completedIn } from '../policy/failure-when/source.ts'
import { runningIn } from '../policy/hold/settings.ts'
import { Unanswerable } from './explanation.ts'

export type Sample = {
  /** A route's match, or a request such as `GET /jobs/7`. */
  readonly route: string
  /** undefined when one upstream alone has such a route. */
  readonly upstream: string | undefined
  readonly status: number
  readonly headers: RawHeaders
  readonly body: Buffer
}

type Rule = { readonly rule: string; readonly line: number | null; readonly finding: Finding }

export type SampleVerdict = {
  readonly upstream: string
  readonly match: string
  readonly line: number | null
  readonly status: number
  readonly bytes: number
  readonly rules: readonly Rule[]
}

/** @throws Unanswerable for a route that is not there, or that several upstreams have. */
export function judgeSample(config: Config, origins: Origins, sample: Sample): SampleVerdict {
  const { upstream, at, route } = routeOf(config, sample)
  const { status, body } = sample
  const report = reportOf(sample, body.length > route.inspectBytes ? undefined : body, route.inspectBytes)
  const lineOf = (key: string) => origins.of(['upstreams', upstream, 'routes', at, key])?.line ?? null
  const rules = conditionsOf(route).map(({ rule, key, condition }) => ({
    rule,
    line: lineOf(key),
    finding: findingOn(condition, report),
  }))
  return { upstream, match: route.match, line: lineOf('match'), status, bytes: body.length, rules }
}

type Found = { readonly upstream: string; readonly at: number; readonly route: RouteConfig }

function routeOf({ upstreams }: Config, { route, upstream, headers }: Sample): Found {
  const among = upstreams.filter(({ name }) => upstream === undefined || name === upstream)
  if (among.length === 0)
    throw new Unanswerable(
      `there is no upstream ${upstream}; there are ${upstreams.map(({ name }) => name).join(', ')}`,
    )
  const all = among.flatMap(({ name, routes }) => routes.map((one, at) => ({ upstream: name, at, route: one })))
  const exact = all.filter((one) => one.route.match === route)
  const [method = '', target = ''] = route.split(' ')
  const [path = ''] = target.split('?')
  const first = among.flatMap(({ name }) => {
    const own = all.filter((one) => one.upstream === name)
    return own.find((one) => compileMatch(one.route.match)(method, path, target, headers)) ?? []
  })
  const [found, other] = exact.length > 0 ? exact : first
  if (found === undefined) {
    const known = all.map((one) => one.route.match).join(', ')
    throw new Unanswerable(`there is no route ${route}; there are ${known === '' ? 'none' : known}`)
  }
  if (other !== undefined)
    throw new Unanswerable(`${found.upstream} and ${other.upstream} have ${route}: name the upstream`)
  return found
}

function conditionsOf(route: RouteConfig) {
  const { hold, failureWhen, completedWhen } = route
  const completed = completedIn(route)
  const rules: { rule: string; key: string; condition: Condition }[] = []
  if (hold !== false) rules.push({ rule: 'hold.while', key: 'hold', condition: runningIn(hold) })
  if (failureWhen !== false) rules.push({ rule: 'failureWhen', key: 'failureWhen', condition: failureWhen })
  if (completed !== undefined && completedWhen === false)
    rules.push({ rule: 'failureWhen.completed', key: 'failureWhen', condition: completed })
  if (completedWhen !== false) rules.push({ rule: 'completedWhen', key: 'completedWhen', condition: completedWhen })
  return rules
}

const WORDS: Readonly<Record<Verdict, string>> = { yes: 'holds', no: 'does not hold', unknown: 'unknown' }

/** For a terminal: a line for each rule, then one for each condition in it. */
export function sampleText({ upstream, match, line, status, bytes, rules }: SampleVerdict): string {
  const head = `${match} of ${upstream}${lineText(line)}, for a ${status} with ${bytes} bytes\n`
  if (rules.length === 0) return `${head}  no hold, failureWhen or completedWhen\n`
  return head + rules.map((one) => `  ${one.rule}${lineText(one.line)}: ${findingText(one.finding, '  ')}`).join('')
}

const lineText = (line: number | null) => (line === null ? '' : ` [line ${line}]`)

function findingText({ says, verdict, of }: Finding, indent: string): string {
  const inner = of.map((one) => `${indent}  ${findingText(one, `${indent}  `)}`)
  return `${WORDS[verdict]}: ${says}\n${inner.join('')}`
}
