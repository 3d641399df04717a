import type { Answered, Arrived, Check, Seen } from './case.ts'
import { type Ending, type Field, type Message, valuesOf } from './message.ts'

type WantedMessage = {
  readonly body?: string
  /** `Name: value`; the value must stand in one of the fields of that name. */
  readonly fields?: readonly string[]
  /** All fields of these names, in order. Peers may combine them and write names in another case. */
  readonly ordered?: readonly string[]
  readonly absent?: readonly string[]
  readonly trailers?: readonly string[]
  readonly framing?: Message['framing']
}

type WantedAnswer = WantedMessage & {
  readonly status?: number
  readonly reason?: string
  /** Statuses of the interim responses. */
  readonly interim?: readonly number[]
}

type WantedRequest = WantedMessage & {
  readonly method?: string
  /** One of these. */
  readonly target?: string | readonly string[]
}

const quoted = (text: string) => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}… (${text.length})` : text)

const told = ({ responses, requests, ending }: Seen) =>
  `client got [${responses.map(({ status }) => status)}] and ${ending}, upstream got [${requests.map(({ startLine, isWhole }) => `${startLine.slice(0, 60)}${isWhole ? '' : ' (part)'}`)}]`

/** The n-th response, from 0, is whole and like this. */
export const answered =
  (wanted: WantedAnswer | number, n = 0): Check =>
  (seen) => {
    const response = seen.responses[n]
    const { status = 200, reason, interim, ...rest } = typeof wanted === 'number' ? { status: wanted } : wanted
    if (response === undefined) return `no response ${n + 1}: ${told(seen)}`
    if (response.status !== status) return `${response.status} instead of ${status}: ${told(seen)}`
    if (!response.isWhole) return `response ${n + 1} is not whole: ${told(seen)}`
    if (reason !== undefined && response.startLine.slice(13) !== reason) return `reason of ${response.startLine}`
    const got = response.interim.map(({ startLine }) => Number(startLine.slice(9, 12)))
    if (interim !== undefined && got.join() !== interim.join())
      return `interim responses [${got}] instead of [${interim}]`
    return differs(response, rest, seen)
  }

/** The n-th request at the upstream, from 0, is whole and like this. */
export const relayed =
  ({ method, target, ...rest }: WantedRequest, n = 0): Check =>
  (seen) => {
    const request = seen.requests[n]
    if (request === undefined || !request.isWhole) return `no request ${n + 1} at the upstream: ${told(seen)}`
    const [gotMethod, gotTarget = ''] = request.startLine.split(' ')
    if (method !== undefined && gotMethod !== method) return `method ${gotMethod} instead of ${method}`
    if (target !== undefined && ![target].flat().includes(gotTarget))
      return `target ${quoted(gotTarget)} instead of ${quoted(String(target))}`
    return differs(request, rest, seen)
  }

function differs(message: Answered | Arrived, wanted: WantedMessage, { isStrict }: Seen): string | undefined {
  const { body, fields = [], ordered, absent = [], trailers, framing } = wanted
  if (body !== undefined && message.body !== body) return `body ${quoted(message.body)} instead of ${quoted(body)}`
  for (const [name, value] of fields.map(split)) {
    const values = valuesOf(message.fields, name)
    if (!values.includes(value) && values.join(', ') !== value)
      return `${name}: ${quoted(values.join(' | '))} instead of ${quoted(value)}`
  }
  const there = absent.find((name) => valuesOf(message.fields, name).length > 0)
  if (there !== undefined) return `${there}: ${quoted(valuesOf(message.fields, there).join(', '))} is there`
  if (ordered !== undefined) {
    const want = ordered.map(split)
    const names = new Set(want.map(([name]) => name.toLowerCase()))
    const got = message.fields.filter(([name]) => names.has(name.toLowerCase()))
    const as = isStrict ? joined : combined
    if (as(got) !== as(want)) return `fields ${quoted(joined(got))} instead of ${quoted(joined(want))}`
  }
  if (trailers !== undefined && joined(message.trailers) !== trailers.join('\n'))
    return `trailers ${quoted(joined(message.trailers))} instead of ${quoted(trailers.join('\n'))}`
  if (framing !== undefined && message.framing !== framing) return `framing: ${message.framing} instead of ${framing}`
  return undefined
}

const split = (field: string): Field => {
  const colon = field.indexOf(':')
  return [field.slice(0, colon), field.slice(colon + 1).trim()]
}

const joined = (fields: readonly Field[]) => fields.map(([name, value]) => `${name}: ${value}`).join('\n')

const combined = (fields: readonly Field[]) =>
  [...Map.groupBy(fields, ([name]) => name.toLowerCase())]
    .map(([name, all]) => `${name}: ${all.map(([, value]) => value).join(', ')}`)
    .sort()
    .join('\n')

const isClosed = ({ ending }: Seen) => ending !== 'open'
const wholeAt = ({ requests }: Seen) => requests.filter(({ isWhole }) => isWhole).length

type Refusal = {
  /** Number of requests that were answered before. */
  readonly after?: number
  /** The request ends where it says: its connection need not be closed. */
  readonly mayGoOn?: true
  /** An outcome besides a refusal that the RFCs allow; for peers alone. */
  readonly or?: Check
}

/**
 * A request is refused: it does not reach the upstream whole. Peers may refuse with any 4xx, 501 or 505, or close. The sidecar
 * answers with one of these statuses, as a problem document, and closes the connection where a message in it was not understood.
 */
export function refused(status: number | readonly number[], { after = 0, or, mayGoOn }: Refusal = {}): Check {
  const strictly: Check = (seen) => {
    const response = seen.responses[after]
    if (response === undefined) return `not refused: ${told(seen)}`
    if (![status].flat().includes(response.status)) return `${response.status} instead of ${status}: ${told(seen)}`
    if (!valuesOf(response.fields, 'content-type').includes('application/problem+json')) return 'no problem document'
    return mayGoOn || isClosed(seen) ? undefined : 'the connection is not closed'
  }
  const loosely: Check = (seen) => {
    const response = seen.responses[after]
    if (response === undefined) return isClosed(seen) ? undefined : `neither refused nor closed: ${told(seen)}`
    const isRefusal = (response.status >= 400 && response.status < 500) || [501, 505].includes(response.status)
    return isRefusal ? undefined : `${response.status} instead of a refusal: ${told(seen)}`
  }
  const check: Check = (seen) => {
    if (!seen.isStrict && or !== undefined && or(seen) === undefined) return undefined
    if (wholeAt(seen) > after) return `forwarded: ${told(seen)}`
    return (seen.isStrict ? strictly : loosely)(seen)
  }
  return Object.assign(check, { refuses: true as const })
}

/** The upstream's response cannot be relayed: 502, from the sidecar with this reason. */
export const badGateway =
  (reason: string, or?: Check): Check =>
  (seen) => {
    if (!seen.isStrict && or !== undefined && or(seen) === undefined) return undefined
    const [response] = seen.responses
    if (response?.status !== 502) return `no 502: ${told(seen)}`
    if (!seen.isStrict || response.body.includes(`"urn:breakwater:${reason}"`)) return undefined
    return `502 without the reason ${reason}: ${quoted(response.body)}`
  }

/** Holds when one of the two does. */
export const either =
  (one: Check, other: Check): Check =>
  (seen) => {
    const fault = one(seen)
    return fault === undefined || other(seen) === undefined ? undefined : fault
  }

/** All of these hold. */
export const all =
  (...checks: readonly Check[]): Check =>
  (seen) =>
    checks.map((check) => check(seen)).find((fault) => fault !== undefined)

/** Asked of the sidecar alone. */
export const strictly =
  (check: Check): Check =>
  (seen) =>
    seen.isStrict ? check(seen) : undefined

/** The proxy closes the client's connection. */
export const closed: Check = (seen) => (isClosed(seen) ? undefined : 'the connection of the client is not closed')

/** The proxy ends the client's connection in this way. */
export const endedBy =
  (ending: Ending): Check =>
  (seen) =>
    seen.ending === ending ? undefined : `the connection of the client: ${seen.ending} instead of ${ending}`

/** The client can tell that the first response broke off. */
export const aborted: Check = (seen) => {
  const [response] = seen.responses
  if (response?.status === 502) return undefined
  if (response?.isWhole) return `a broken body looks whole: ${quoted(response.body)}`
  return isClosed(seen) ? undefined : `the connection of the client is not closed: ${told(seen)}`
}

/** At most this many requests reach the upstream, parts of requests included. */
export const atMost =
  (n: number): Check =>
  (seen) =>
    seen.requests.length <= n ? undefined : `more than ${n} at the upstream: ${told(seen)}`

/** No whole request reaches the upstream. */
export const notWhole: Check = (seen) => (wholeAt(seen) === 0 ? undefined : `whole at the upstream: ${told(seen)}`)

/** The client gets nothing behind its responses. */
export const nothingBehind: Check = ({ rest }) =>
  rest === '' ? undefined : `bytes behind the responses: ${quoted(rest)}`

/** The client gets exactly this behind its last response: what came through a tunnel. */
export const behind =
  (text: string): Check =>
  ({ rest }) =>
    rest === text ? undefined : `${quoted(rest)} behind the response instead of ${quoted(text)}`

/** The upstream sees this text somewhere. */
export const upstreamGot =
  (text: string): Check =>
  ({ upstreamReceived }) =>
    upstreamReceived.some((one) => one.includes(text)) ? undefined : `the upstream did not get ${quoted(text)}`

/** The upstream never sees this text. */
export const upstreamLacks =
  (text: string): Check =>
  ({ upstreamReceived }) =>
    upstreamReceived.some((one) => one.includes(text)) ? `the upstream got ${quoted(text)}` : undefined

/** The requests came on that many connections to the upstream. */
export const overConnections =
  (n: number): Check =>
  ({ requests }) => {
    const count = new Set(requests.map(({ connection }) => connection)).size
    return count === n ? undefined : `requests on ${count} upstream connections instead of ${n}`
  }

/** That many of the upstream's connections are closed, or more. */
export const upstreamClosed =
  (n: number): Check =>
  (seen) =>
    seen.closedUpstream >= n ? undefined : `${seen.closedUpstream} upstream connections are closed instead of ${n}`
