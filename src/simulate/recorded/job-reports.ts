import type { UpstreamConfig } from '../../config/schema.ts'
import { compileCondition, type Condition, isList } from '../../job/condition.ts'
import { keysOf } from '../../job/pointer.ts'
import type { Exchange } from '../../policy/exchange.ts'
import { completedIn } from '../../policy/failure-when/source.ts'
import { runningIn } from '../../policy/hold/settings.ts'

/** State of a job in a response's body; undefined when the body reports none. */
export type JobWord = 'failed' | 'completed' | 'pending' | undefined

type Bodies = Readonly<Record<'failed' | 'completed' | 'pending' | 'ended', string>>

/** Writes bodies that a configuration's `failureWhen`, `completedWhen` and `hold` recognise. */
export class JobReports {
  /** By upstream and route. `ended`: a job whose end the log does not name, which ends a hold. */
  readonly #bodies = new Map<string, Bodies>()

  constructor(upstreams: readonly UpstreamConfig[]) {
    for (const { name, routes } of upstreams)
      for (const route of routes) {
        const { match, hold, failureWhen } = route
        const completed = completedIn(route)
        this.#bodies.set(`${name}\n${match}`, {
          failed: failureWhen === false ? '' : bodyFor(failureWhen),
          completed: completed === undefined ? '' : bodyFor(completed),
          pending: hold === false ? '' : bodyFor(runningIn(hold)),
          ended: hold === false ? '' : bodyFor({ not: runningIn(hold) }),
        })
      }
  }

  /** @returns '' where the route reads no body, or no body decides. */
  body(word: JobWord, { route }: Exchange): string {
    return this.#bodies.get(`${route.upstream}\n${route.route}`)?.[word ?? 'ended'] ?? ''
  }
}

/** A status that no file lists. */
const OTHER = 'ended in the recorded run'

/** A JSON body of a 200 for which the condition holds; '' when none is found. */
function bodyFor(condition: Condition): string {
  const { verdictOn } = compileCondition(condition)
  const found = candidates(condition, true).find(
    (value) =>
      verdictOn({
        status: 200,
        header: () => undefined,
        json: () => ({ value }),
        text: () => JSON.stringify(value),
      }) === 'yes',
  )
  return found === undefined ? '' : JSON.stringify(found)
}

/** Largest number of bodies that are tried for one condition. */
const MAX_TRIED = 1_000

/** Bodies for which a condition may hold, or may not. */
function candidates(condition: Condition, holds: boolean): unknown[] {
  if (isList(condition)) return joined(condition, holds, !holds)
  const { json, in: list, notIn, all, any, not } = condition
  if (all !== undefined) return joined(all, holds, holds)
  if (any !== undefined) return joined(any, holds, !holds)
  if (not !== undefined) return candidates(not, !holds)
  if (json === undefined) return [{}]
  const values = [...(holds ? (list ?? []) : []), ...(holds ? [] : (notIn ?? [])), OTHER, null, [], '']
  return values.map((value) => at(json, value)).concat({})
}

/** @param together whether one body has to do for all the conditions. */
function joined(conditions: readonly Condition[], holds: boolean, together: boolean): unknown[] {
  const each = conditions.map((one) => candidates(one, holds))
  if (!together) return each.flat().slice(0, MAX_TRIED)
  return each
    .reduce<unknown[]>((all, own) => all.flatMap((one) => own.map((two) => merged(one, two))).slice(0, MAX_TRIED), [{}])
    .slice(0, MAX_TRIED)
}

function merged(one: unknown, two: unknown): unknown {
  const isMap = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isMap(one) || !isMap(two)) return two
  const keys = new Set([...Object.keys(one), ...Object.keys(two)])
  return Object.fromEntries([...keys].map((key) => [key, key in two ? merged(one[key], two[key]) : one[key]]))
}

/** JSON with a value at a JSON Pointer (RFC 6901). */
const at = (pointer: string, value: unknown) =>
  keysOf(pointer).reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
