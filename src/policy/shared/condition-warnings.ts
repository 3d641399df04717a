/** Warns of lists in conditions that cannot be meant as they are written. */

import { type Condition, leavesOf, type Scalar } from '../../job/condition.ts'
import type { Finding, RouteScope, Rules } from '../scope.ts'

/** A condition of a route, by its setting. */
type Written = { readonly at: string; readonly condition: Condition }

/** @param conditionsOf the conditions among a policy's settings. */
export const conditionWarnings = <R>(conditionsOf: (route: R) => readonly Written[]): Rules<RouteScope<R>> => ({
  'text-for-another-type': ({ route }) => first(conditionsOf(route), quotedIn),
  'value-listed-twice': ({ route }) => first(conditionsOf(route), repeatedIn),
})

type Doubt = Pick<Finding, 'reason' | 'fix'>

function first(
  all: readonly Written[],
  doubtIn: (list: readonly Scalar[], isHeader: boolean) => Doubt | undefined,
): Finding | undefined {
  for (const { at, condition } of all)
    for (const { in: list, notIn, header } of leavesOf(condition)) {
      const doubt = doubtIn(list ?? notIn ?? [], header !== undefined)
      if (doubt !== undefined) return { at: [at], ...doubt }
    }
  return undefined
}

const OTHER_TYPE = /^(?:true|false|null|-?\d+(?:\.\d+)?)$/i

/** A field's value is always text. */
function quotedIn(list: readonly Scalar[], isHeader: boolean): Doubt | undefined {
  if (isHeader) return undefined
  const others = new Set(list.filter((one) => typeof one !== 'string').map(String))
  const quoted = list.find((one) => typeof one === 'string' && OTHER_TYPE.test(one) && !others.has(one.toLowerCase()))
  if (typeof quoted !== 'string') return undefined
  const plain = quoted.toLowerCase()
  return {
    reason: `"${quoted}" in quotes is text, and JSON's ${plain} is not equal to it`,
    fix: `${plain} without quotes; or both, where the service sends either`,
  }
}

function repeatedIn(list: readonly Scalar[]): Doubt | undefined {
  const seen = new Set<string>()
  const again = list.find((one) => {
    const key = `${typeof one} ${String(one).toLowerCase()}`
    return seen.has(key) || !seen.add(key)
  })
  return again === undefined
    ? undefined
    : { reason: `${again} stands there twice: case makes no difference`, fix: `${again} once` }
}
