import type { Env } from '../config/file/interpolate.ts'
import { explain as explanationOf, type Question, Unanswerable } from '../explain/explanation.ts'
import { textOf } from '../explain/text.ts'
import { readConfig } from './read-config.ts'

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
  const read = readConfig(file, env)
  if (typeof read === 'string') {
    complain(read)
    return 2
  }
  try {
    const explanation = explanationOf(read.config, read.origins, question)
    write(json ? `${JSON.stringify(explanation, undefined, 2)}\n` : textOf(explanation))
    return 0
  } catch (error) {
    if (!(error instanceof Unanswerable)) throw error
    complain(`breakwater: ${error.message}\n`)
    return 2
  }
}
