import { isoTime } from '../../clock.ts'
import type { IncidentView } from '../../dashboard/shapes.ts'
import { incidentText, listText } from '../../incidents/text.ts'
import { Incidents } from '../../incidents/fold.ts'
import { factOf } from '../../incidents/of-line.ts'
import { viewOf } from '../../incidents/view.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { command, type Surroundings } from '../command.ts'
import { ASKING_OPTIONS, ASKING_USAGE, asking, printedJson } from './sidecar.ts'
import { linesOf, unreadable } from '../log-lines.ts'
import { UsageError } from '../usage-error.ts'

export const incidentsCommand = command({
  name: 'incidents',
  usage: `  breakwater incidents [ID] [--log FILE] ${ASKING_USAGE}
                                   show what broke, since when, at what cost, and what to do: of a running sidecar, or
                                   from its log alone (- for stdin; log.access has to be on for requests)
`,
  options: { ...ASKING_OPTIONS, log: { type: 'string' } },
  allowPositionals: true,
  run: async (values, [id, ...others], surroundings) => {
    if (others.length > 0) throw new UsageError('expected one id of an incident at most')
    if (values.log !== undefined) {
      const read = await logged(values.log)
      if (typeof read !== 'string') return tell(read, id, values.json, surroundings)
      surroundings.complain(`breakwater: ${read}\n`)
      return EXIT.bad
    }
    return asking(values, surroundings, async (api, signal) => {
      const { incidents } = await api.get('v1/incidents?limit=1000', signal)
      return tell({ incidents, remarks: [] }, id, values.json, surroundings)
    })
  },
})

type Read = { readonly incidents: readonly IncidentView[]; readonly remarks: readonly string[] }

function tell(read: Read, id: string | undefined, isJson: boolean, { write, complain }: Surroundings): number {
  const one = id === undefined ? undefined : read.incidents.find((incident) => incident.id === id)
  if (id !== undefined && one === undefined) {
    complain(`breakwater: no such incident: ${id}\n`)
    return EXIT.bad
  }
  for (const remark of read.remarks) complain(`breakwater: ${remark}\n`)
  if (isJson) write(printedJson(one ?? { incidents: read.incidents }))
  else write(one === undefined ? listText(read.incidents) : incidentText(one))
  return EXIT.done
}

/** Folds a log as the sidecar folded its events. The present is the time of the last line. */
async function logged(file: string): Promise<Read | string> {
  const incidents = new Incidents()
  let now = 0
  let hasRequests = false
  let hasInfo = false
  try {
    for await (const line of linesOf(file)) {
      const read = factOf(line)
      if (read === undefined) continue
      now = Math.max(now, read.at)
      hasRequests ||= read.fact?.kind === 'request'
      hasInfo ||= line.includes('"level":"info"')
      if (read.fact !== undefined) incidents.take(read.fact)
      else incidents.pass(now)
    }
  } catch (error) {
    return unreadable(file, error)
  }
  if (now === 0) return `${file}: has no line of a sidecar`
  const told = incidents.all.map((incident) => viewOf(incident, now))
  const goesOn = told.some(({ state }) => state !== 'ended')
  const remarks = [
    !hasRequests && 'the log has no requests: with log.access off, causes and cost are not known',
    !hasInfo && 'the log has no lines of level info: the ends of incidents are not known, nor requests that went well',
    goesOn && `what goes on is told as of the last line, ${isoTime(now)}`,
  ]
  return { incidents: told, remarks: remarks.filter((remark) => remark !== false) }
}
