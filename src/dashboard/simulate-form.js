/** The fields of a simulation: which traffic, and which settings to change. */

import { element } from './element.js'
import { FAULTS, scenarioOf } from './scenario.js'
import { upstreamOptions } from './upstream-options.js'

/** @import { State } from './state.js' */

/** Bytes of a log's end that are sent. As JSON they stay below the limit of the call. */
const MAX_LOG_BYTES = 10 * 1024 * 1024

const CHANGE = `upstreams:
  web: { breaker: { openFor: 5s } }`
const CHANGES_TITLE =
  'Settings to change, laid over the file in force (YAML; null removes). Empty: the configuration in force alone'

/** @param {State} state */
export function simulationForm(state) {
  const outage = outageFields()
  const yaml = element('textarea', { rows: '10', spellcheck: 'false' })
  const file = element('input', { type: 'file', accept: '.jsonl,.log,.json,.txt' })
  const changes = element('textarea', { rows: '4', spellcheck: 'false', placeholder: CHANGE })
  const kinds = [
    { name: 'outage', says: 'an outage of one upstream', part: outage.root, fields: outage.fields },
    { name: 'scenario', says: 'a scenario, as YAML', part: wide('Scenario', yaml), fields: [yaml] },
    {
      name: 'log',
      says: 'an access log',
      part: wide('Lines of the log, with log.access on; its newest 10 MiB count', file),
      fields: [file],
    },
  ].map((kind, i) => ({
    ...kind,
    choice: element('input', { type: 'radio', name: 'traffic', value: kind.name, checked: i === 0 }),
  }))
  const chosen = () => kinds.find(({ choice }) => choice.checked)?.name
  const choose = () => {
    // The outage that was described is where one's own scenario begins.
    if (chosen() === 'scenario' && yaml.value === '') yaml.value = outage.written(state)
    for (const { choice, part, fields } of kinds) {
      part.hidden = !choice.checked
      for (const field of fields) {
        field.disabled = !choice.checked
        field.required = choice.checked
      }
    }
  }
  for (const { choice } of kinds) choice.addEventListener('change', choose)
  choose()
  const choices = kinds.map(({ choice, says }) => element('label', { class: 'choice' }, choice, says))
  const traffic = element(
    'fieldset',
    {},
    element('legend', {}, 'Traffic'),
    element('div', { class: 'kinds' }, ...choices),
    ...kinds.map(({ part }) => part),
  )
  return {
    parts: [traffic, wide(CHANGES_TITLE, changes)],
    /** Body of the call. */
    order: async () => {
      const [given] = file.files ?? []
      const change = changes.value.trim()
      return {
        ...(chosen() === 'log' && given !== undefined
          ? { log: await endOf(given) }
          : { scenario: chosen() === 'scenario' ? yaml.value : outage.written(state) }),
        ...(change === '' ? {} : { changes: change }),
      }
    },
    update: () => outage.update(state),
  }
}

function outageFields() {
  const upstream = element('select')
  const fault = selectOf(Object.entries(FAULTS))
  const lasts = selectOf([
    ['30', '30 s'],
    ['10', '10 s'],
    ['120', '2 min'],
    ['600', '10 min'],
  ])
  const rate = element('input', { type: 'number', min: '0.1', max: '1000', step: 'any', value: '5' })
  const request = element('input', { value: 'GET /jobs/{id}', pattern: '[A-Z]+ /\\S*', spellcheck: 'false' })
  const root = element(
    'div',
    { class: 'question' },
    element('label', {}, 'Upstream', upstream),
    element('label', {}, 'From second 30 it', fault),
    element('label', {}, 'For', lasts),
    element('label', {}, 'Requests per second', rate),
    element('label', {}, 'Each of them', request),
  )
  return {
    root,
    fields: [upstream, fault, lasts, rate, request],
    /** The scenario. @param {State} state */
    written: ({ upstreams }) => {
      const { p50, p99 } = upstreams.find(({ name }) => name === upstream.value)?.latency_ms ?? { p50: null, p99: null }
      const [name, as] = [upstream.value, fault.value]
      const fields = { upstream: name, fault: as, lasts: lasts.value, rate: rate.value, request: request.value }
      return scenarioOf(fields, p50 ?? 50, p99 ?? 200)
    },
    update: upstreamOptions(upstream, [], (name) => name),
  }
}

/** @param {string} title @param {HTMLElement} field */
const wide = (title, field) => element('label', { class: 'wide' }, title, field)

/** @param {readonly (readonly [value: string, says: string])[]} options */
const selectOf = (options) =>
  element('select', {}, ...options.map(([value, says]) => element('option', { value }, says)))

/** Its newest lines. @param {File} file */
async function endOf(file) {
  if (file.size <= MAX_LOG_BYTES) return file.text()
  const text = await file.slice(-MAX_LOG_BYTES).text()
  return text.slice(text.indexOf('\n') + 1)
}
