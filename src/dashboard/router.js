/** The view that a hash names: a permalink, such as `#/upstreams/web` or `#/explain?path=/web/x`. */

/** @typedef {'now' | 'upstreams' | 'incidents' | 'requests' | 'jobs' | 'health' | 'config' | 'explain' | 'simulate' | 'runbook' | 'keys'} View */
/** `id` is '' for a view of several. @typedef {{ readonly view: View, readonly id: string, readonly query: URLSearchParams }} Route */

/** @type {ReadonlySet<string>} */
const VIEWS = new Set([
  'upstreams',
  'incidents',
  'requests',
  'jobs',
  'health',
  'config',
  'explain',
  'simulate',
  'runbook',
  'keys',
])
/** Views that are of one thing. @type {ReadonlySet<string>} */
const OF_ONE = new Set(['upstreams', 'incidents', 'runbook'])

/** @param {string} hash with its `#`. @returns {Route} the first view for a hash that names no other. */
export function routeOf(hash) {
  const [path = '', query = ''] = splitOnce(hash.replace(/^#\/?/, ''), '?')
  const [view = '', ...rest] = path.split('/')
  const id = decoded(rest.join('/'))
  const isKnown = VIEWS.has(view) && (id !== '' || !OF_ONE.has(view))
  return {
    view: isKnown ? /** @type {View} */ (view) : 'now',
    id: isKnown ? id : '',
    query: new URLSearchParams(query),
  }
}

/** @param {string} whole @param {string} separator */
function splitOnce(whole, separator) {
  const at = whole.indexOf(separator)
  return at < 0 ? [whole] : [whole.slice(0, at), whole.slice(at + 1)]
}

/** @param {string} text percent-encoded; text that is not is left as it is. */
function decoded(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** @param {View} view @param {string} [id] */
export const hashOf = (view, id = '') =>
  id === '' ? `#/${view === 'now' ? '' : view}` : `#/${view}/${encodeURIComponent(id)}`

/** The hash with another value of its query; without it where the value is ''. @param {string} hash @param {string} key @param {string} value */
export function withQuery(hash, key, value) {
  const [path = '', query = ''] = splitOnce(hash, '?')
  const all = new URLSearchParams(query)
  if (value === '') all.delete(key)
  else all.set(key, value)
  return `${path === '' ? '#/' : path}${all.size === 0 ? '' : `?${all}`}`
}
