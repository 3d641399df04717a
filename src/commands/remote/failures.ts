import { isoTime, systemClock } from '../../clock.ts'
import { groupsOf, groupWords } from '../../dashboard/cause-groups.js'
import { causeOf, count, length, many, recent } from '../../dashboard/format.js'
import type { Failure } from '../../dashboard/shapes.ts'
import { printed, type Span, tabular } from '../../top/spans.ts'
import { command, wholeNumber } from '../command.ts'
import { UsageError } from '../usage-error.ts'
import { ASKING_OPTIONS, ASKING_USAGE, asking, printedJson } from './sidecar.ts'
import { upstreamNamed } from './upstream-named.ts'

export const failuresCommand = command({
  name: 'failures',
  usage: `  breakwater failures [UPSTREAM] [-n 20] ${ASKING_USAGE}
                                   show why requests failed, grouped by cause, and the newest of them attempt by attempt
`,
  options: { ...ASKING_OPTIONS, number: { type: 'string', short: 'n', default: '20' } },
  allowPositionals: true,
  run: (values, [name, ...others], surroundings) => {
    if (others.length > 0) throw new UsageError('expected one upstream at most')
    const most = wholeNumber('--number', values.number)
    return asking(values, surroundings, async (api, signal) => {
      if (name !== undefined) await upstreamNamed(name, api, signal)
      const answer: { failures: Failure[] } = await api.get('v1/failures', signal)
      const failures = answer.failures.filter(({ upstream }) => name === undefined || upstream === name)
      surroundings.write(
        values.json
          ? printedJson({ failures: failures.slice(0, most) })
          : printed(linesOf(failures, most, isoTime(systemClock.wallNow())), surroundings.terminal.isColoured()),
      )
      return 0
    })
  },
})

function linesOf(failures: readonly Failure[], most: number, now: string): Span[][] {
  if (failures.length === 0) return [[['No request has failed.']]]
  const groups = groupsOf(failures).map((group): Span[] => [
    [`${count(group.count)} ×`],
    [groupWords(group), group.isEffect ? 'faint' : 'bad'],
    [`${group.newest.upstream} ${group.route}`],
    [`newest ${recent(group.newest.at, now)}`, 'faint'],
  ])
  const shown = failures.slice(0, most)
  const left = failures.length - shown.length
  return [
    ...tabular(groups),
    [],
    ...shown.map((failure) => failureLine(failure, now)),
    ...(left === 0 ? [] : [[[`and ${many(left, 'older one')}: -n ${failures.length}`, 'faint'] as Span]]),
  ]
}

function failureLine(failure: Failure, now: string): Span[] {
  const { at, upstream, method, path, attempts, total_ms: ms, history, request_id: id } = failure
  const outcomes = history.map(({ outcome, ms: took }) => `${outcome} ${length(took)}`).join(', ')
  return [
    [`${recent(at, now)}  `, 'faint'],
    [`${upstream} ${method} ${path} `],
    [causeOf(failure), 'bad'],
    [`  ${many(attempts, 'attempt')}, ${length(ms)}${outcomes === '' ? '' : ` (${outcomes})`}  ${id}`, 'faint'],
  ]
}
