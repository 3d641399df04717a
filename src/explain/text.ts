/** Formats an explanation for a terminal: names, values, and the line of each. */

import { writtenMs } from '../config/kinds/units.ts'
import { isUnacceptable } from '../errors.ts'
import type { Explanation } from './explanation.ts'
import type { Limit } from '../policy/deadline/limits.ts'
import { type Start, writtenStart } from '../policy/retry/starts.ts'
import type { Part } from '../policy/scope.ts'

const WIDTH = 14
const REFUSAL_WIDTH = 21

export function textOf(explanation: Explanation): string {
  const { file, request, upstream, route, inputs, timeouts, refusals, bounds } = explanation
  return [
    `${request.method} ${request.path} to ${upstream.name} (${file})\n`,
    row('upstream', [`${upstream.urls.join(', ')}${at(upstream.line)}`]),
    row('route', [
      `${route.match ?? '*'}${at(route.line)}: ${route.why}`,
      ...route.passed.map(({ match, line, why }) => `not ${match}${at(line)}: ${why}`),
    ]),
    row(
      'inputs',
      inputs.map(({ name, value, from }) => `${name} ${value} (${from})`),
    ),
    '\ntime limits\n',
    ...Object.entries(timeouts).map(([name, limit]) => row(name, limitLines(limit))),
    ...retryLines(explanation),
    '\npolicies, in the order in which a request meets them\n',
    ...explanation.policies.map(({ name, parts }) => row(name, parts.map(withLine))),
    "\nanswers that may come in place of the upstream's\n",
    ...refusals
      .filter(({ reason }) => !isUnacceptable(reason))
      .map((one) => row(`${one.status} ${one.reason}`, [withLine(one)], REFUSAL_WIDTH)),
    `  and ${refusedMessages(refusals)} to a message that is not acceptable\n`,
    '\nheader fields and URLs\n',
    row('fields', explanation.fields.map(withLine)),
    '\nmessages and connections\n',
    row('wire', explanation.wire.map(withLine)),
    '\nbest and worst\n',
    row('client', [`best: ${bounds.client.best}`, `worst: ${bounds.client.worst}`]),
    row('upstream', [`best: ${bounds.upstream.best}`, `worst: ${bounds.upstream.worst}`]),
  ].join('')
}

/** The statuses, as a list in words. */
function refusedMessages(refusals: Explanation['refusals']): string {
  const statuses = refusals.filter(({ reason }) => isUnacceptable(reason)).map(({ status }) => String(status))
  return new Intl.ListFormat('en-GB', { type: 'disjunction' }).format([...new Set(statuses)].sort())
}

const at = (line: number | null) => (line === null ? ' [default]' : ` [line ${line}]`)

const withLine = ({ says, line }: Part) => `${says}${at(line)}`

const limitLines = (limit: Limit) => [withLine(limit), ...limit.terms.map((term) => `  ${term}`)]

function row(name: string, lines: readonly string[], width = WIDTH): string {
  return lines.map((line, i) => `  ${(i === 0 ? name : '').padEnd(width)}${line}\n`).join('')
}

function retryLines({ retries, timeouts }: Explanation): string[] {
  const { isRepeatable, why, attempts, on, whenRefused, whenTimedOut } = retries
  const count = Math.max(whenRefused.length, whenTimedOut.length)
  const cell = (start: Start | undefined) => (start === undefined ? '-' : writtenStart(start))
  const table = Array.from({ length: count }, (_, k) => [`${k + 1}`, cell(whenRefused[k]), cell(whenTimedOut[k])])
  const lines = [['attempt', 'where each fails at once', 'where each times out'], ...table]
  const columns = [9, Math.max(...lines.map(([, refused = '']) => refused.length)) + 3]
  return [
    '\nretries\n',
    row('may be', [`${isRepeatable ? 'yes' : 'no'}: ${withLine(why)}`, withLine(attempts), withLine(on)]),
    row('start after', [
      ...lines.map(
        ([k = '', refused = '', timedOut = '']) =>
          `${k.padEnd(columns[0] ?? 0)}${refused.padEnd(columns[1] ?? 0)}${timedOut}`,
      ),
      `what would start after ${writtenMs(timeouts.total.ms)} does not; the last that fits may take all the time left`,
    ]),
  ]
}
