/** The page of one request: its answer, its waits, its attempts, why each retry or none, and what to do with it. */

import { attemptList } from './attempts.js'
import { curlOf } from './curl.js'
import { element, say } from './element.js'
import { causeOf, length, moment } from './format.js'
import { hashOf } from './router.js'

/** @import { ConfigView, RequestView } from './shapes.ts' */

/** Why no retry followed. @type {Readonly<Record<string, string>>} */
const DENIALS = {
  attempts: 'all attempts that retry.attempts allows were made',
  deadline: 'there was too little time left before the deadline',
  budget: 'the retry budget was spent',
  breaker: 'the breaker was open for longer than the request could wait',
  waiting: 'too many requests were in a back-off already (retry.waiting)',
  draining: 'the sidecar was ending',
  method: 'a request of this method may not be repeated (idempotent, or an Idempotency-Key, would allow it)',
  body: 'its body was too large to be kept for a retry (retry.bodyBuffer)',
  early_response: 'the answer came before the request was sent whole',
}

/** @type {readonly (readonly [key: keyof RequestView['waits'], name: string])[]} */
const WAITS = [
  ['queue_ms', 'for a slot, a connection or its turn'],
  ['breaker_ms', 'for an open breaker'],
  ['retry_after_ms', 'for the end of a Retry-After'],
  ['backoff_ms', 'between attempts'],
  ['connect_ms', 'to connect'],
]

/** @param {RequestView} request @param {ConfigView | undefined} config @param {(text: string) => void} copy @returns {HTMLElement} */
export function requestView(request, config, copy) {
  const { method, path, status, reason, upstream, route, at, total_ms, first_byte_ms, limit, request_id, history } =
    request
  const curl = curlOf(request, config)
  const trace = traceLink(request, config)
  const waits = WAITS.filter(([key]) => request.waits[key] > 0).map(([key, name]) =>
    element('li', {}, `${length(request.waits[key])} ${name}`),
  )
  return element(
    'div',
    { 'data-request-page': request_id },
    element(
      'header',
      { class: 'title' },
      element('h2', { id: 'view-title', tabindex: '-1' }, element('code', {}, `${method} ${path}`)),
    ),
    element(
      'section',
      { class: 'card' },
      element(
        'p',
        { class: 'lead' },
        `${answerWords({ status, reason, limit })}, ${moment(at)}, after ${length(total_ms)}${first_byte_ms === null ? '' : `; first byte after ${length(first_byte_ms)}`}.`,
      ),
      element(
        'p',
        {},
        'To ',
        element('a', { href: hashOf('upstreams', upstream) }, upstream),
        `, route ${route}, request `,
        element('code', {}, request_id),
        request.shared ? ', answered by a call that was made for others, too' : '',
      ),
      element('p', { class: 'why' }, whyNoMore(request)),
      element(
        'p',
        { class: 'actions' },
        element('a', { class: 'button', href: explainHash(request) }, 'Explain'),
        element('button', { type: 'button', class: 'quiet', onclick: () => copy(curl) }, 'Copy as curl'),
        element('button', { type: 'button', class: 'quiet', onclick: () => copy(location.href) }, 'Copy the link'),
        ...(trace === undefined ? [] : [trace]),
      ),
      element('pre', { class: 'curl' }, curl),
    ),
    element('section', { class: 'card' }, element('h3', {}, 'Attempts'), attemptList(history, total_ms)),
    element(
      'section',
      { class: 'card' },
      element('h3', {}, 'Waits'),
      waits.length === 0 ? element('p', { class: 'none' }, 'It waited for nothing.') : element('ul', {}, ...waits),
    ),
  )
}

/** @param {Pick<RequestView, 'status' | 'reason' | 'limit'>} request */
function answerWords({ status, reason, limit }) {
  const whose =
    reason === null
      ? `Answered ${status} by the upstream`
      : `Ended with ${causeOf({ reason, status })} (${status}) by the sidecar`
  return limit === null ? whose : `${whose}, because of ${limit}`
}

/** @param {RequestView} request */
function whyNoMore({ retry_denied, attempts, status, reason }) {
  if (retry_denied !== null) return `No further retry: ${DENIALS[retry_denied] ?? retry_denied}.`
  if (attempts === 0) return `No attempt was made: ${reason ?? `answered ${status}`}.`
  if (status >= 500 || reason !== null) return 'No retry: retry.on does not name this outcome.'
  return attempts > 1 ? 'A retry saved it.' : 'It needed no retry.'
}

/** @param {Pick<RequestView, 'method' | 'path' | 'upstream'>} request */
function explainHash({ method, path, upstream }) {
  const query = new URLSearchParams({ method, path })
  if (!isShared(path, upstream)) query.set('upstream', upstream)
  return `#/explain?${query}`
}

/** Whether the path is one of the shared listener. @param {string} path @param {string} upstream */
const isShared = (path, upstream) => path === `/${upstream}` || path.startsWith(`/${upstream}/`)

/** @param {RequestView} request @param {ConfigView | undefined} config */
function traceLink({ trace_id }, config) {
  if (trace_id === null) return undefined
  const tracing = config?.config.tracing
  const link = typeof tracing === 'object' && tracing !== null && 'link' in tracing ? String(tracing.link) : ''
  const label = element('span', {}, 'Trace ', element('code', {}, trace_id))
  if (link === '') return label
  return element(
    'a',
    { class: 'button', href: link.replace('{trace_id}', trace_id), target: '_blank', rel: 'noreferrer' },
    'Open the trace',
  )
}

/** For a request that is not kept any more. @param {string} id @param {string} detail */
export function missingRequest(id, detail) {
  const root = element(
    'div',
    {},
    element('h2', { id: 'view-title', tabindex: '-1' }, 'Request'),
    element('p', { class: 'trouble' }),
  )
  const place = root.querySelector('.trouble')
  if (place !== null)
    say(
      place,
      `Request ${id}: ${detail}. The newest 300 are kept, until the sidecar ends; the log has a line for each where log.access is on.`,
    )
  return root
}
