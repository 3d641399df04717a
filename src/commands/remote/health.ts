import type { Line } from '../../dashboard/health-lines.js'
import { checkLines, healthWords, limitLines } from '../../dashboard/health-lines.js'
import type { State } from '../../dashboard/state.js'
import { printed, type Span, tabular } from '../../top/spans.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { command } from '../command.ts'
import { readJobs } from './jobs.ts'
import { readState } from './read-state.ts'
import { ASKING_OPTIONS, ASKING_USAGE, asking, printedJson } from './sidecar.ts'

export const healthCommand = command({
  name: 'health',
  usage: `  breakwater health ${ASKING_USAGE}
                                   show the checks of what the service needs, and whether limits are reached. The exit
                                   code is 1 when it is unhealthy or ending; degraded is 0, as for a probe
`,
  options: ASKING_OPTIONS,
  allowPositionals: false,
  run: (values, _positionals, surroundings) =>
    asking(values, surroundings, async (api, signal) => {
      const state = await readState(api, signal)
      await readJobs(api, state, signal)
      const { health } = state
      const { write, terminal } = surroundings
      if (values.json) write(printedJson({ ...health, limits: limitLines(state) }))
      else write(printed(linesOf(state), terminal.isColoured()))
      return health?.status === 'unhealthy' || state.isDraining ? EXIT.bad : EXIT.done
    }),
})

function linesOf(state: State): Span[][] {
  const { health } = state
  const line = ({ name, isWell, says }: Line): Span[] => [
    [isWell ? 'well' : 'not well', isWell ? 'good' : 'bad'],
    [name],
    [says],
  ]
  if (health === undefined) return []
  return [[[healthWords(health)]], ...tabular([...checkLines(health), ...limitLines(state)].map(line))]
}
