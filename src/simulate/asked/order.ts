/** A simulation as the control API is asked for it, and its answer. It runs in a thread: see `thread.ts`. */

import { z } from 'zod'
import { durationMs } from '../../config/kinds/units.ts'
import type { Config } from '../../config/schema.ts'

const lengthOr = (endless: string) =>
  z
    .string()
    .default(endless)
    .transform((given, context) => {
      const ms = given === endless ? Number.POSITIVE_INFINITY : durationMs(given)
      if (ms === undefined) context.addIssue(`expected ${endless} or a duration such as 30s`)
      return ms ?? 0
    })

/** Body of the call. */
export const ORDER = z
  .strictObject({
    log: z.string().optional().describe('an access log, as the sidecar writes it'),
    scenario: z.string().optional().describe('made-up traffic and faults, as YAML'),
    changes: z
      .string()
      .optional()
      .describe('settings to change, as YAML; laid over the file in force, where null removes and a list replaces'),
    config: z.string().optional().describe('a whole configuration in place of `changes`'),
    seed: z.int().min(0).max(999_999_999).default(1),
    unseen: z
      .enum(['nearest', 'ok', 'fail'])
      .default('nearest')
      .describe('answer of a call that the log does not have'),
    late: lengthOr('never').describe('time of an answer that the sidecar gave up on: never, or such as 30s'),
    patience: lengthOr('forever').describe('time that clients wait who did not leave: forever, or such as 30s'),
  })
  .refine(({ log, scenario }) => (log === undefined) !== (scenario === undefined), {
    error: 'expected either a log or a scenario',
  })
  .refine(({ changes, config }) => changes === undefined || config === undefined, {
    error: 'expected either changes or a whole config',
  })

/** What the thread gets. */
export type SimulationOrder = {
  /** The call's body, as JSON, in pieces. */
  readonly body: readonly Uint8Array[]
  readonly present: {
    readonly config: Config
    readonly version: string
    /** Its text; '' when it comes from no file. */
    readonly text: string
  }
}

/** `detail` of a refusal is for people; its faults have places in the changed configuration, or in the scenario. */
export type SimulationAnswer =
  | { readonly ok: true; readonly json: string; readonly text: string }
  | {
      readonly ok: false
      readonly status: 400 | 422
      readonly detail: string
      readonly faults: readonly SimulationFault[]
    }

/** `line`: null where it would be a line of a text that nobody wrote. */
export type SimulationFault = { readonly line: number | null; readonly path: string; readonly message: string }
