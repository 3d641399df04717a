import { changesTitle, faultWords, inForceWords, NOT_RELOADED, reloadWords } from '../../dashboard/config-words.js'
import type { ConfigChangesView, ConfigView } from '../../dashboard/shapes.ts'
import { printed, type Span } from '../../top/spans.ts'
import { command } from '../command.ts'
import { ASKING_OPTIONS, ASKING_USAGE, asking, printedJson } from './sidecar.ts'

export const configCommand = command({
  name: 'config',
  usage: `  breakwater config [--diff] ${ASKING_USAGE}
                                   show the configuration in force without its secrets, and how the last reload went;
                                   --diff: what a refused file would change in it, or else what the last reload changed
`,
  options: { ...ASKING_OPTIONS, diff: { type: 'boolean', default: false } },
  allowPositionals: false,
  run: (values, _positionals, surroundings) =>
    asking(values, surroundings, async (api, signal) => {
      const { write, terminal } = surroundings
      const view = values.diff ? await api.get('v1/config/changes', signal) : await api.get('v1/config', signal)
      if (values.json) write(printedJson(view))
      else write(printed(values.diff ? diffLines(view) : linesOf(view), terminal.isColoured()))
      return 0
    }),
})

function linesOf(view: ConfigView): Span[][] {
  const { last_reload: last, config } = view
  return [
    [[inForceWords(view), 'strong']],
    [[last === null ? NOT_RELOADED : reloadWords(last), last?.outcome === 'refused' ? 'bad' : 'faint']],
    ...(last?.faults ?? []).map((fault): Span[] => [[`  ${faultWords(fault)}`, 'bad']]),
    ...((last?.restart_needed ?? []).length === 0
      ? []
      : [[[`Needs a restart: ${last?.restart_needed.join(', ')}`, 'warn'] as Span]]),
    ...JSON.stringify(config, undefined, 2)
      .split('\n')
      .map((line): Span[] => [[line]]),
  ]
}

function diffLines(view: ConfigChangesView): Span[][] {
  return [
    [[changesTitle(view), 'strong']],
    ...(view.changes ?? []).flatMap(({ path, before, after }): Span[][] => [
      ...(before === null ? [] : [[[`- ${path}: ${before}`, 'bad'] as Span]]),
      ...(after === null ? [] : [[[`+ ${path}: ${after}`, 'good'] as Span]]),
    ]),
  ]
}
