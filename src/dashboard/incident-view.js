/** The page of one incident: what broke, since when, what it cost, what the sidecar did, and what to do. */

import { attemptList } from './attempts.js'
import { element } from './element.js'
import { count, many, moment, seconds } from './format.js'
import { hashOf } from './router.js'
import { costWords } from './sentence.js'
import { anchorOf } from './sentence-view.js'

/** @import { IncidentCause, IncidentView } from './shapes.ts' */

/** @param {IncidentView} incident @returns {HTMLElement} */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the elements of one view.
export function incidentView(incident) {
  const {
    id,
    upstream,
    state,
    started_at,
    ended_at,
    duration_s,
    summary,
    causes,
    cost,
    signs,
    routes,
    advice,
    config_version,
  } = incident
  const { jobs_total: jobs } = cost
  const end =
    ended_at === null ? (state === 'quiet' ? 'nobody has called since' : 'going on') : `until ${moment(ended_at)}`
  return element(
    'div',
    { 'data-incident': id, 'data-version': versionOf(incident) },
    element(
      'header',
      { class: 'title' },
      element(
        'h2',
        { id: 'view-title', tabindex: '-1' },
        upstream === null ? 'Incident of the sidecar' : `Incident of ${upstream}`,
      ),
    ),
    element(
      'section',
      { class: 'card' },
      element('p', { class: 'lead' }, summary),
      element(
        'p',
        {},
        `Since ${moment(started_at)}, ${end}: ${seconds(duration_s)}${config_version === null ? '' : `; configuration ${config_version}`}.`,
      ),
      element(
        'p',
        {},
        `Cost: ${costWords({ ...cost, limited: 0, jobs, waiting: 0, seconds: undefined })}${cost.open_s > 0 ? `; breaker open for ${seconds(cost.open_s)}` : ''}.`,
      ),
      element(
        'p',
        {},
        `What to do: ${advice.text} `,
        element('a', { href: hashOf('runbook', anchorOf(advice.runbook)) }, 'Runbook'),
      ),
      ...(upstream === null
        ? []
        : [element('p', {}, element('a', { href: hashOf('upstreams', upstream) }, `${upstream} now`))]),
      ...(cost.jobs.length === 0
        ? []
        : [
            element(
              'p',
              {},
              `Jobs: ${cost.jobs.join(', ')}${jobs > cost.jobs.length ? ` and ${jobs - cost.jobs.length} more` : ''}`,
            ),
          ]),
    ),
    element(
      'section',
      { class: 'card' },
      element('h3', {}, 'Causes'),
      causes.length === 0
        ? element('p', { class: 'none' }, 'None is known.')
        : element('ul', { class: 'rows' }, ...causes.map(causeLine)),
    ),
    element(
      'section',
      { class: 'card' },
      element('h3', {}, 'What happened'),
      element(
        'ol',
        { class: 'signs' },
        ...signs.map(({ at, text }) => element('li', {}, element('span', { class: 'when' }, moment(at)), ` ${text}`)),
      ),
    ),
    element(
      'section',
      { class: 'card' },
      element('h3', {}, 'Routes'),
      element(
        'ul',
        {},
        ...routes.map(({ route, requests, failed, refused, saved }) =>
          element(
            'li',
            {},
            element('code', {}, route),
            ` ${many(requests, 'request')}: ${count(failed)} failed, ${count(refused)} refused, ${count(saved)} saved`,
          ),
        ),
      ),
    ),
  )
}

/** @param {IncidentCause} cause */
function causeLine({ count: times, text, example }) {
  const line = [element('span', { class: 'times' }, `${count(times)} × `), element('span', { class: 'cause' }, text)]
  if (example === null) return element('li', {}, ...line)
  return element(
    'li',
    {},
    ...line,
    element(
      'p',
      {},
      'For example ',
      element('a', { href: hashOf('requests', example.request_id) }, `${example.method} ${example.path}`),
      ` at ${moment(example.at)}`,
    ),
    attemptList(example.history, example.total_ms),
  )
}

/** Equal for views of an incident that look the same. @param {IncidentView} incident */
export const versionOf = ({ id, state, ended_at, duration_s, cost, signs }) =>
  JSON.stringify([id, state, ended_at, Math.round(duration_s), cost, signs.length])

/** @param {string} id @param {string} detail */
export const missingIncident = (id, detail) =>
  element(
    'div',
    { 'data-incident': id },
    element('h2', { id: 'view-title', tabindex: '-1' }, 'Incident'),
    element('p', { class: 'trouble' }, `Incident ${id}: ${detail}.`),
  )
