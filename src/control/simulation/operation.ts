/** `simulate` over HTTP. */

import { z } from 'zod'
import { ORDER } from '../../simulate/asked/order.ts'
import type { ConfigInForce } from '../api/operations/config.ts'
import { json, type Operation, PLAIN, problem, text } from '../api/operation.ts'
import type { Simulations } from './simulations.ts'

/** Largest body: some 40,000 lines of an access log. */
const MAX_BYTES = 16 * 1024 * 1024

const RESULT = z
  .object({
    belief: z
      .object({ isBelievable: z.boolean(), says: z.array(z.string()) })
      .loose()
      .optional()
      .describe('how far the replay of a log can be believed'),
    assumptions: z.array(z.string()),
    remarks: z.array(z.string()),
    runs: z
      .array(z.object({ name: z.string() }).loose())
      .describe('figures of the recorded run, and of each configuration'),
    rows: z.array(z.array(z.string())).describe('the table for people: titles, then a cell for each run'),
  })
  .loose()

/** @param configuration read at each call. */
export function simulateOperation(configuration: ConfigInForce, simulations: Simulations): Operation {
  return {
    ...PLAIN,
    id: 'simulate',
    method: 'POST',
    path: '/v1/simulate',
    summary:
      'Runs an access log or a scenario through the policies of the configuration in force, and of a changed one beside it: in a thread, for 20 s at most, one at a time; no upstream is called. As text for clients that accept only text/plain',
    body: ORDER,
    maxBodyBytes: MAX_BYTES,
    reads: 'bytes',
    answers: {
      200: { what: 'the result', schema: RESULT },
      422: {
        what: 'the log, the scenario or the changed configuration cannot be used, or asks for too much',
        schema: undefined,
      },
      429: { what: 'another simulation is under way', schema: undefined },
    },
    begin:
      ({ header, gone }) =>
      async (body) => {
        const { inForce, text: written } = configuration
        const { config, version } = inForce
        const pieces = Array.isArray(body) ? body : []
        const answer = await simulations.run({ body: pieces, present: { config, version, text: written } }, gone)
        if (!answer.ok) return problem(answer.status, answer.detail, {}, { faults: answer.faults })
        return header('accept') === 'text/plain' ? text(answer.text) : jsonText(answer.json)
      },
  }
}

/** The thread has written it: the text of a large answer costs this thread nothing. */
const jsonText = (written: string) => ({ ...json(200, null), body: `${written}\n` })
