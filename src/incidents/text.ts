/** Incidents as the command prints them. */

import type { IncidentCause, IncidentView, RequestView } from '../dashboard/shapes.ts'
import { lengthText } from './words.ts'

const STATES = { ongoing: 'ONGOING', quiet: 'quiet', ended: 'ended' } as const

/** Newest first, two lines each. */
export function listText(incidents: readonly IncidentView[]): string {
  if (incidents.length === 0) return 'no incidents\n'
  return incidents
    .map(({ id, state, started_at: at, duration_s: seconds, summary }) => {
      const since = `${day(at)}, ${state === 'ended' ? 'for' : 'since'} ${lengthText(seconds * 1000)}`
      return `${STATES[state].padEnd(7)} ${id}  ${since}\n        ${plain(summary)}\n`
    })
    .join('')
}

export function incidentText(incident: IncidentView): string {
  const { id, state, started_at: from, ended_at: to, duration_s: seconds, summary, signs, routes, causes } = incident
  const { cost, advice, config_version: version } = incident
  const length = lengthText(seconds * 1000)
  const lines = [
    `${id} (${state})`,
    plain(summary),
    '',
    to === null ? `from   ${day(from)}, ${length} by now` : `from   ${day(from)} to ${day(to)}: ${length}`,
    ...(version === null ? [] : [`config ${version}`]),
    `cost   ${cost.requests} requests: ${cost.failed} failed, ${cost.refused} refused, ${cost.retried} retries, ${cost.saved} saved; a breaker was open for ${lengthText(cost.open_s * 1000)}`,
    ...(cost.jobs_total === 0
      ? []
      : [
          `jobs   ${cost.jobs_total}: ${cost.jobs.map(plain).join(', ')}${cost.jobs_total > cost.jobs.length ? ', …' : ''}`,
        ]),
    '',
    ...signs.map(({ at, text }) => `  ${moment(at, from)}  ${plain(text)}`),
    ...(causes.length === 0 ? [] : ['', 'causes', ...causes.flatMap((cause) => causeLines(cause, from))]),
    ...(routes.length === 0
      ? []
      : [
          '',
          'routes',
          ...routes.map(
            ({ route, requests, failed, refused, saved }) =>
              `  ${plain(route)}: ${requests} requests, ${failed} failed, ${refused} refused, ${saved} saved`,
          ),
        ]),
    '',
    `what to do: ${advice.text}`,
    `  ${advice.runbook}`,
  ]
  return `${lines.join('\n')}\n`
}

function causeLines({ cause, count, text, example }: IncidentCause, from: string): string[] {
  return [`  ${count} × ${cause}: ${plain(text)}`, ...(example === null ? [] : exampleLines(example, from))]
}

function exampleLines(
  { at, method, path, status, reason, total_ms: ms, history, request_id: id, trace_id: trace }: RequestView,
  from: string,
) {
  const end = reason === null ? String(status) : `${status} ${reason}`
  return [
    `      ${moment(at, from)} ${method} ${plain(path)} → ${end} after ${lengthText(ms)}, request ${plain(id)}${trace === null ? '' : `, trace ${trace}`}`,
    ...history.map(
      (attempt) =>
        `        at ${lengthText(attempt.at_ms)}${attempt.endpoint === null ? '' : ` ${attempt.endpoint}`}: ${plain(attempt.outcome)} after ${lengthText(attempt.ms)}`,
    ),
  ]
}

/** A time of the day; with its date where that is another than the incident's first. */
const moment = (iso: string, from: string) =>
  iso.slice(0, 10) === from.slice(0, 10) ? iso.slice(11, 23) : `${iso.slice(0, 10)} ${iso.slice(11, 23)}`
const day = (iso: string) => `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`
/** Without control characters, which a path may hold. */
const plain = (text: string) => text.replaceAll(/\p{Cc}/gu, '\ufffd')
