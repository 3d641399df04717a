import { z } from 'zod'
import { condition, TERM } from '../../config/kinds/condition.ts'
import { duration, offOr } from '../../config/kinds/kinds.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import type { Condition } from '../../job/condition.ts'
import { NO_SETTINGS } from '../policy.ts'

const on = z
  .strictObject({
    while: condition.describe('Condition of a response that reports a running job: the poll is held.').optional(),
    json: TERM.json.describe('With in: short for while.'),
    in: TERM.in.describe('Statuses of a job that is still running.'),
    upTo: duration('1s', '1h').describe('Longest time that a poll is held.'),
    every: duration('100ms', '5m').describe('Time between two polls of the upstream.'),
  })
  .check(({ value, issues }) => {
    const wrong = (key: string, message: string) => issues.push({ code: 'custom', input: value, path: [key], message })
    if (value.while !== undefined) {
      if (value.json !== undefined) wrong('json', 'while is there, too: one of them')
      else if (value.in !== undefined) wrong('in', 'while is there, too: one of them')
    } else if (value.json === undefined && value.in === undefined) wrong('while', 'while is missing')
    else if (value.json === undefined) wrong('json', 'json is missing')
    else if (value.in === undefined) wrong('in', 'in is missing')
  })
  .transform(({ upTo, every, ...rest }) => ({ ...rest, upToMs: upTo, everyMs: every }))

export const HOLD = {
  ...NO_SETTINGS,
  routeOnly: {
    hold: setting(offOr(on), false, "Holds a poll: the sidecar polls the upstream until the job's status changes."),
  },
} as const

export type HoldSettings = Values<typeof HOLD.routeOnly>

/** The condition of a running job. */
export const runningIn = ({ while: written, json, in: list }: Exclude<HoldSettings['hold'], false>): Condition =>
  written ?? { json, in: list }
