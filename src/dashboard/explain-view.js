/** What the sidecar would do with a request, in the words of `breakwater explain`. A permalink has the question. */

import { ApiError } from './api.js'
import { element, say } from './element.js'
import { upstreamOptions } from './upstream-options.js'

/** @import { State } from './state.js' */

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']

/** The fields of the form, and the places of its answer. @param {HTMLElement} place */
function formIn(place) {
  const method = element('select', { name: 'method' }, ...METHODS.map((name) => element('option', {}, name)))
  const path = element('input', {
    name: 'path',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: '/web/jobs/7?max_results=50',
  })
  const upstream = element('select', { name: 'upstream' })
  const answer = element('pre', { class: 'answer', tabindex: '0', 'aria-label': 'The explanation' })
  const trouble = element('p', { class: 'trouble', role: 'alert' })
  const form = element(
    'form',
    { class: 'question' },
    element('label', {}, 'Method', method),
    element('label', { class: 'wide' }, 'Path with its query, or a URL', path),
    element('label', {}, 'Listener', upstream),
    element('button', {}, 'Explain'),
  )
  answer.hidden = true
  trouble.hidden = true
  const about =
    'The route, the timeouts, the retries and each policy that a request would meet, with the line of the file that sets it. Nothing is sent to an upstream.'
  place.append(element('p', { class: 'none' }, about), form, trouble, answer)
  return { form, method, path, upstream, answer, trouble }
}

/** @param {HTMLElement} place @param {State} state @param {(path: string) => Promise<string>} explain */
export function explainView(place, state, explain) {
  const { form, method, path, upstream, answer, trouble } = formIn(place)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const query = new URLSearchParams({ method: method.value, path: pathOf(path.value) })
    if (upstream.value !== '') query.set('upstream', upstream.value)
    location.hash = `#/explain?${query}`
  })

  const options = upstreamOptions(
    upstream,
    [{ value: '', says: 'shared: the path begins with the upstream' }],
    (name) => `of ${name}`,
  )
  let asked = ''
  /** The listener that a permalink names: its option may come later. @type {string | null} */
  let wanted = null
  /** @param {URLSearchParams} query */
  async function ask(query) {
    asked = String(query)
    try {
      const text = await explain(`v1/explain?${query}`)
      if (asked !== String(query)) return
      say(answer, text)
      say(trouble, '')
    } catch (error) {
      say(trouble, error instanceof ApiError ? error.message : 'No answer.')
      say(answer, '')
    }
    trouble.hidden = trouble.textContent === ''
    answer.hidden = answer.textContent === ''
  }
  const update = () => {
    options(state)
    if (wanted === null) return
    upstream.value = wanted
    if (upstream.value === wanted) wanted = null
  }
  return {
    update,
    /** @param {URLSearchParams} query of the permalink. */
    show: (query) => {
      wanted = query.get('upstream') ?? wanted
      update()
      if (!query.has('path')) return
      method.value = query.get('method') ?? 'GET'
      path.value = query.get('path') ?? ''
      if (asked !== String(query)) void ask(query)
    },
  }
}

/** The path of a URL that was copied whole. @param {string} text */
function pathOf(text) {
  const trimmed = text.trim()
  if (!/^https?:\/\//.test(trimmed)) return trimmed
  const path = trimmed.replace(/^https?:\/\/[^/?#]*/, '').replace(/#.*$/, '')
  return path.startsWith('/') ? path : `/${path}`
}
