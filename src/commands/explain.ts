import { answerText, answerTo } from '../explain/answer.ts'
import { type Question, Unanswerable } from '../explain/explanation.ts'
import { meantByUrl } from '../explain/url.ts'
import { command, fieldsOf, type Surroundings } from './command.ts'
import { UsageError } from './usage-error.ts'
import { DEFAULT_FILE, readConfig } from './read-config.ts'

export const explainCommand = command({
  name: 'explain',
  usage: `  breakwater explain [METHOD] PATH|URL [--config FILE] [--upstream NAME] [--input NAME=VALUE]…
              [--header 'NAME: VALUE']… [--json]
                                   show what the sidecar would do with a request, with the line of each setting. The port
                                   of a URL says which listener, and so which upstream; FILE is ${DEFAULT_FILE} by default
`,
  options: {
    config: { type: 'string', default: DEFAULT_FILE },
    upstream: { type: 'string' },
    input: { type: 'string', multiple: true },
    header: { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
  },
  allowPositionals: true,
  run: ({ config, upstream, input = [], header = [], json }, [first, second, ...others], surroundings) => {
    if (first === undefined || others.length > 0)
      throw new UsageError('expected a path or a URL, and before it a method')
    // `GET /jobs`, as a route's match and the log have it, may stand in one argument.
    const [, word = 'GET', rest = first] = /^([a-z]+) +([/*h].*)$/i.exec(first) ?? []
    const [method, path] = second === undefined ? [word.toUpperCase(), rest] : [first.toUpperCase(), second]
    const pairs = input.map((pair) => /^(\w+)=(.*)$/s.exec(pair)?.slice(1) ?? [])
    if (pairs.some(({ length }) => length === 0)) throw new UsageError('--input: expected NAME=VALUE')
    const inputs = Object.fromEntries(pairs)
    return explain(config, json, { upstream, method, path, inputs, headers: fieldsOf(header) }, surroundings)
  },
})

/**
 * Prints what the sidecar would do with a request, with the line of each setting.
 * @returns the exit code: 0, or 2 when the file has faults or cannot be read, or the question has no answer.
 */
function explain(file: string, json: boolean, question: Question, { env, write, complain }: Surroundings): number {
  const read = readConfig(file, env)
  if (typeof read === 'string') {
    complain(read)
    return 2
  }
  try {
    const meant = question.upstream === undefined ? meantByUrl(read.config, question.path) : undefined
    const answer = answerTo(read.config, read.origins, { ...question, ...meant })
    write(json ? `${JSON.stringify(answer, undefined, 2)}\n` : answerText(answer))
    return 0
  } catch (error) {
    if (!(error instanceof Unanswerable)) throw error
    complain(`breakwater: ${error.message}\n`)
    return 2
  }
}
