/** A request as a curl command. Pure. */

/** @import { ConfigView, RequestView } from './shapes.ts' */

/**
 * Without its query, its fields and its body: the sidecar does not keep them.
 * @param {Pick<RequestView, 'method' | 'path' | 'upstream'>} request @param {ConfigView | undefined} config
 */
export function curlOf({ method, path, upstream }, config) {
  const how = method === 'GET' ? '' : method === 'HEAD' ? ' -I' : ` -X ${quoted(method)}`
  return `curl -i${how} ${quoted(`${baseOf(path, upstream, config)}${path}`)}`
}

/** Safe in any POSIX shell. @param {string} text */
const quoted = (text) => (/^[\w./:%-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`)

/** The listener that the request came to: the shared one where the path begins with the upstream's name. @param {string} path @param {string} upstream @param {ConfigView | undefined} config */
function baseOf(path, upstream, config) {
  const isShared = path === `/${upstream}` || path.startsWith(`/${upstream}/`)
  const all = config?.config.upstreams
  const own = Array.isArray(all) ? all.find((one) => one?.name === upstream)?.listen : undefined
  const at = addressOf(isShared ? config?.config.listen : own) ?? addressOf(config?.config.listen)
  return `http://${at ?? '127.0.0.1:8080'}`
}

/** @param {unknown} listen */
function addressOf(listen) {
  if (typeof listen !== 'object' || listen === null || !('host' in listen) || !('port' in listen)) return undefined
  const host = String(listen.host)
  return `${host.includes(':') ? `[${host}]` : host}:${listen.port}`
}
