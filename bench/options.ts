import { parseArgs } from 'node:util'

export const SCENARIOS = [
  'get',
  'stream',
  'reject',
  'latency',
  'start',
  'memory',
  'log',
  'garbage',
  'scale',
  'checkpoints',
  'reload',
  'trace',
] as const
export type ScenarioName = (typeof SCENARIOS)[number]

export type Options = {
  /** Length of one measurement, in seconds. */
  readonly seconds: number
  /** Measurements of each contestant in each scenario. */
  readonly rounds: number
  /** Letters of the contestants to run. */
  readonly only: ReadonlySet<string>
  readonly scenarios: readonly ScenarioName[]
}

export class UsageError extends Error {}

/**
 * @param letters of all contestants.
 * @throws UsageError for an unknown option or value.
 */
export function readOptions(argv: readonly string[], letters: readonly string[]): Options {
  const values = parsed(argv, letters)
  return {
    seconds: positive('--seconds', values.seconds),
    rounds: Math.ceil(positive('--rounds', values.rounds)),
    only: new Set(members('--only', values.only, letters)),
    scenarios: members('--scenario', values.scenario, SCENARIOS),
  }
}

function parsed(argv: readonly string[], letters: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        seconds: { type: 'string', default: '4' },
        rounds: { type: 'string', default: '3' },
        only: { type: 'string', default: letters.join(',') },
        scenario: { type: 'string', default: SCENARIOS.join(',') },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function positive(option: string, written: string): number {
  const value = Number(written)
  if (Number.isFinite(value) && value > 0) return value
  throw new UsageError(`${option}: expected a number above 0, got ${written}`)
}

function members<T extends string>(option: string, written: string, known: readonly T[]): T[] {
  const asked = written.split(',')
  const strange = asked.find((name) => !known.some((item) => item === name))
  if (strange === undefined) return known.filter((item) => asked.includes(item))
  throw new UsageError(`${option}: expected some of ${known.join(',')}, got ${strange}`)
}
