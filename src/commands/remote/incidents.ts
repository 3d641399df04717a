import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { systemClock } from '../../clock.ts'
import type { IncidentView } from '../../dashboard/shapes.ts'
import { incidentText, listText } from '../../incidents/text.ts'
import { Incidents } from '../../incidents/fold.ts'
import { factOf } from '../../incidents/of-line.ts'
import { viewOf } from '../../incidents/view.ts'
import { command, type Surroundings } from '../command.ts'
import { reasonOf, SIDECAR_OPTIONS, SIDECAR_USAGE, sidecarAt } from './sidecar.ts'
import { UsageError } from '../usage-error.ts'

/** Time in ms for the sidecar to answer. */
const ANSWER_MS = 10_000

export const incidentsCommand = command({
  name: 'incidents',
  usage: `  breakwater incidents [ID] ${SIDECAR_USAGE} [--log FILE] [--json]
                                   show what broke, since when, at what cost, and what to do: of a running sidecar, or
                                   from its log alone (- for stdin; log.access has to be on for requests)
`,
  options: {
    ...SIDECAR_OPTIONS,
    log: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
  allowPositionals: true,
  run: async (values, [id, ...others], surroundings) => {
    if (others.length > 0) throw new UsageError('expected one id of an incident at most')
    const { write, complain } = surroundings
    const read = values.log === undefined ? await asked(values, surroundings) : await logged(values.log)
    if (typeof read === 'string') {
      complain(`breakwater: ${read}\n`)
      return 1
    }
    const one = id === undefined ? undefined : read.incidents.find((incident) => incident.id === id)
    if (id !== undefined && one === undefined) {
      complain(`breakwater: no such incident: ${id}\n`)
      return 1
    }
    if (read.remark !== '') complain(`breakwater: ${read.remark}\n`)
    if (values.json) write(`${JSON.stringify(one ?? { incidents: read.incidents }, undefined, 2)}\n`)
    else write(one === undefined ? listText(read.incidents) : incidentText(one))
    return 0
  },
})

type Read = { readonly incidents: readonly IncidentView[]; readonly remark: string }

/** @returns why it cannot be told, as a string. */
async function asked(where: Parameters<typeof sidecarAt>[0], surroundings: Surroundings): Promise<Read | string> {
  const api = sidecarAt(where, surroundings)
  const late = new AbortController()
  const timer = systemClock.after(ANSWER_MS, () => late.abort(new Error(`no answer within ${ANSWER_MS / 1000} s`)))
  try {
    const { incidents } = await api.get('v1/incidents?limit=1000', late.signal)
    return { incidents, remark: '' }
  } catch (error) {
    return `${where.url}: ${reasonOf(error)}`
  } finally {
    systemClock.cancel(timer)
  }
}

/** Folds a log as the sidecar folded its events. The present is the time of the last line. */
async function logged(file: string): Promise<Read | string> {
  const incidents = new Incidents()
  let now = 0
  let hasRequests = false
  try {
    const lines = createInterface({ input: file === '-' ? process.stdin : createReadStream(file), crlfDelay: Infinity })
    for await (const line of lines) {
      const read = factOf(line)
      if (read === undefined) continue
      now = Math.max(now, read.at)
      hasRequests ||= read.fact?.kind === 'request'
      if (read.fact !== undefined) incidents.take(read.fact)
      else incidents.pass(now)
    }
  } catch (error) {
    return `${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`
  }
  if (now === 0) return `${file}: has no line of a sidecar`
  const remark = hasRequests ? '' : 'the log has no requests: with log.access off, causes and cost are not known'
  return { incidents: incidents.all.map((incident) => viewOf(incident, now)), remark }
}
