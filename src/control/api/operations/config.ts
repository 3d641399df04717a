/** The configuration over HTTP: the one in force, and a call to reload it. */

import { z } from 'zod'
import { isoTime } from '../../../clock.ts'
import type { Config } from '../../../config/schema.ts'
import type { ConfigChangesView, ConfigView, Reload } from '../../../dashboard/shapes.ts'
import type { ReloadReport, ReloadTrigger } from '../../../events.ts'
import { json, type Operation, operation, PLAIN, problem } from '../operation.ts'
import { type Compared, changesOf } from '../config-changes.ts'
import { shownConfig } from '../shown-config.ts'

export type ConfigInForce = {
  /** '' when it comes from no file. */
  readonly file: string
  readonly inForce: { readonly config: Config; readonly version: string; readonly since: string }
  /** The text in force; '' when it comes from no file. */
  readonly text: string
  /** undefined before the first reload. */
  readonly last: ReloadReport | undefined
  /** undefined while there has been but one text. */
  readonly compared: Compared | undefined
  readonly request: (trigger: ReloadTrigger) => Promise<ReloadReport | undefined>
}

const FAULT = z.object({
  line: z.int().optional(),
  column: z.int().optional(),
  path: z.string().describe('keys from the top, joined by dots'),
  message: z.string(),
})
const NAMES = z.array(z.string())
const CHANGES = z.object({ added: NAMES, removed: NAMES, changed: NAMES, keys: NAMES })
const RELOAD = z.object({
  trigger: z.enum(['start', 'file', 'signal', 'api']),
  outcome: z.enum(['applied', 'refused']),
  version: z.string(),
  at: z.iso.datetime(),
  faults: z.array(FAULT),
  changes: CHANGES.describe('upstreams by name, and top-level keys'),
  restart_needed: NAMES.describe('keys whose new value needs a restart'),
}) satisfies z.ZodType<Reload>
const CHANGED = z.object({
  of: z.enum(['refused', 'in force', 'none']),
  from: z.string().describe('version that was in force'),
  to: z.string().describe('version of the refused file, or of the one in force now'),
  changes: z
    .array(z.object({ path: z.string(), before: z.string().nullable(), after: z.string().nullable() }))
    .nullable()
    .describe('null when a text cannot be read as YAML'),
}) satisfies z.ZodType<ConfigChangesView>
const CONFIG = z.object({
  version: z.string().describe('the beginning of the SHA-256 of the file'),
  file: z.string(),
  since: z.iso.datetime(),
  last_reload: RELOAD.nullable(),
  config: z.record(z.string(), z.unknown()),
}) satisfies z.ZodType<ConfigView>

/** @param configuration read at each call. */
export function configOperations(configuration: ConfigInForce): Operation[] {
  return [
    operation({
      ...PLAIN,
      id: 'showConfig',
      method: 'GET',
      path: '/v1/config',
      summary: 'The configuration in force without its secrets: durations in ms, sizes in bytes',
      answers: {
        200: { what: 'the configuration, and how the last reload went', schema: CONFIG },
      },
      answer: () => {
        const { file, inForce, last } = configuration
        const { version, since, config } = inForce
        return json(200, {
          version,
          file,
          since,
          last_reload: last === undefined ? null : shownReload(last),
          config: shownConfig(config),
        })
      },
    }),
    operation({
      ...PLAIN,
      id: 'showConfigChanges',
      method: 'GET',
      path: '/v1/config/changes',
      summary:
        'What a refused file would change, or else what the last reload changed: setting by setting as written, without secrets',
      answers: { 200: { what: 'the changes', schema: CHANGED } },
      answer: () => json(200, changesOf(configuration.compared)),
    }),
    operation({
      ...PLAIN,
      id: 'reloadConfig',
      method: 'POST',
      path: '/v1/config/reload',
      summary: 'Reads the configuration file again and puts it in force, whole or not at all',
      answers: {
        200: { what: 'in force', schema: RELOAD },
        422: { what: 'faulty: the previous configuration stays in force', schema: undefined },
      },
      answer: async () => {
        const report = await configuration.request('api')
        if (report === undefined) return problem(500, 'the reload did not finish')
        const shown = shownReload(report)
        if (report.outcome === 'applied') return json(200, shown)
        const { version, faults } = shown
        return problem(422, 'the previous configuration stays in force', {}, { version, faults })
      },
    }),
  ]
}

export const shownReload = ({ trigger, outcome, version, at, faults, changes, restartNeeded }: ReloadReport) => ({
  trigger,
  outcome,
  version,
  faults,
  changes,
  at: isoTime(at),
  restart_needed: restartNeeded,
})
