/** What the sidecar tells of a run: its incidents, in the time of the services. */

import { createApi } from '../dashboard/api.js'
import type { IncidentView } from '../dashboard/shapes.ts'

export type ToldIncident = Pick<IncidentView, 'kind' | 'upstream' | 'summary' | 'causes' | 'cost'> & {
  /** First and last sign, in seconds of the services since the beginning. */
  readonly fromS: number
  readonly toS: number
  /** Time for which a breaker was open, in seconds of the services. */
  readonly openS: number
  /** Address of the page that shows it. */
  readonly page: string
}

/**
 * @param control address of the sidecar's control listener. @param beganAt wall-clock ms.
 * @returns a function that reads them, first sign first.
 */
export function incidentsOf(control: string, beganAt: number, scale: number): () => Promise<ToldIncident[]> {
  const api = createApi(
    control,
    () => '',
    async () => false,
  )
  const sinceS = (iso: string) => (Date.parse(iso) - beganAt) / 1000 / scale
  const told = (incident: IncidentView): ToldIncident => {
    const { id, kind, upstream, summary, causes, cost, signs, started_at: from } = incident
    return {
      kind,
      upstream,
      summary,
      causes,
      cost,
      fromS: sinceS(from),
      toS: sinceS(signs.at(-1)?.at ?? from),
      openS: cost.open_s / scale,
      page: `${control}#/incidents/${id}`,
    }
  }
  return async () => {
    const { incidents }: { incidents: IncidentView[] } = await api.get('v1/incidents', AbortSignal.timeout(ANSWER_MS))
    return incidents.map(told).reverse()
  }
}

const ANSWER_MS = 10_000
