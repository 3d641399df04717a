import { formatFaults } from '../config/faults.ts'
import type { Env } from '../config/interpolate.ts'
import { loadConfig } from '../config/load.ts'
import { explain as explanationOf, type Question, Unanswerable } from '../explain/explanation.ts'
import { textOf } from '../explain/text.ts'
import { readText } from './read-text.ts'

export type ExplainOptions = { readonly file: string; readonly json: boolean; readonly question: Question }

/**
 * Tells what would be done with a request, and which line says so.
 * @returns the exit code: 0, or 2 when the file is faulty or not readable, or the question has no answer.
 */
export function explain(
  { file, json, question }: ExplainOptions,
  env: Env,
  write: (text: string) => void,
  complain: (text: string) => void,
): number {
  const text = readText(file)
  if (text instanceof Error) {
    complain(`breakwater: cannot read ${file}: ${text.message}\n`)
    return 2
  }
  const loaded = loadConfig(text, file, env)
  if (!loaded.ok) {
    complain(formatFaults(loaded.faults))
    return 2
  }
  try {
    const explanation = explanationOf(loaded.config, loaded.origins, question)
    write(json ? `${JSON.stringify(explanation, undefined, 2)}\n` : textOf(explanation))
    return 0
  } catch (error) {
    if (!(error instanceof Unanswerable)) throw error
    complain(`breakwater: ${error.message}\n`)
    return 2
  }
}
