/** Calls of the control API, for the page and for `breakwater top`. */

/** @import { ServerEvent } from './shapes.ts' */

/** @typedef {{ readonly line: number | null, readonly path: string, readonly message: string }} Fault */

/** A response of the control API that is not 2xx; the message is the problem's `detail`. */
export class ApiError extends Error {
  /** @param {number} status @param {string} detail @param {readonly Fault[]} [faults] of a text that was sent */
  constructor(status, detail, faults = []) {
    super(detail)
    this.status = status
    this.faults = faults
  }
}

/** @typedef {ReturnType<typeof createApi>} Api */

/**
 * @param {string} base the URL to which paths such as `v1/jobs` are relative.
 * @param {() => string} token the bearer token, '' for none; read at each call.
 * @param {() => Promise<boolean>} refused called on a 401; resolves to whether `token` now returns another one to repeat the call with.
 */
export function createApi(base, token, refused) {
  /** @param {string} method @param {string} path @param {unknown} [body] @param {AbortSignal} [signal] @param {Record<string, string>} [fields] @returns {Promise<Response>} */
  async function call(method, path, body, signal, fields = {}) {
    const held = token()
    const response = await fetch(new URL(path, base), {
      method,
      headers: {
        ...fields,
        ...(held === '' ? {} : { authorization: `Bearer ${bytesOf(held)}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
    if (response.status === 401 && (token() !== held || (await refused())))
      return call(method, path, body, signal, fields)
    if (!response.ok) throw await errorOf(response)
    return response
  }
  return {
    call,
    /** @param {string} path @param {AbortSignal} signal @returns {Promise<any>} a type of shapes.ts. */
    get: async (path, signal) => JSON.parse(await (await call('GET', path, undefined, signal)).text()),
    /** @param {string} path @param {AbortSignal} signal @returns {Promise<string>} */
    text: async (path, signal) => (await call('GET', path, undefined, signal, { accept: 'text/plain' })).text(),
    /** Yields events until the connection ends. It ends without an error when the sidecar stops. @param {AbortSignal} signal */
    events: async function* events(signal) {
      const { body } = await call('GET', 'v1/events', undefined, signal)
      if (body !== null) yield* serverEvents(body)
    },
  }
}

/** The UTF-8 bytes of a token, one character each: fetch rejects header characters above U+00FF. @param {string} text */
const bytesOf = (text) => String.fromCharCode(...new TextEncoder().encode(text))

/** @param {Response} response */
async function errorOf(response) {
  const text = await response.text()
  const { detail, faults } = response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : {}
  return new ApiError(
    response.status,
    typeof detail === 'string' ? detail : `HTTP ${response.status}`,
    Array.isArray(faults) ? faults : [],
  )
}

/**
 * Server-sent events (HTML standard, section 9.2.6) over fetch: EventSource cannot send a token. The loop calls `read()`
 * because Safari cannot iterate over a stream.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {AsyncGenerator<ServerEvent>}
 */
async function* serverEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      rest += read.value
      const blocks = rest.split(/\r?\n\r?\n/)
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const event = eventIn(block)
        if (event !== undefined) yield event
      }
    }
  } finally {
    await reader.cancel()
  }
}

/** @param {string} block @returns {ServerEvent | undefined} undefined when the block is only a comment. */
function eventIn(block) {
  let name = 'message'
  /** @type {string[]} */
  const data = []
  for (const line of block.split(/\r?\n/)) {
    const [, field, value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? []
    if (field === 'event') name = value
    if (field === 'data') data.push(value)
  }
  return data.length === 0 ? undefined : { name, data: data.join('\n') }
}
