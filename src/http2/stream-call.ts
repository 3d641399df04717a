import { constants } from 'node:http2'
import type { Dispatcher } from 'undici'
import {
  BODY_BROKE,
  type OutgoingRequest,
  REFUSED_WHILE_SENDING,
  type ResponseEvents,
} from '../http1/client-connection.ts'
import { malformed, type MessageFault } from '../http1/fault.ts'
import { reasonOf } from '../http1/write.ts'
import { BodyStream } from './body-stream.ts'
import { NOT_PROCESSED, STREAM_RESET, WANTS_HTTP1 } from './faults.ts'

type Control = Dispatcher.DispatchController
type Fields = Readonly<Record<string, string | string[] | undefined>>

/** What the connection of a call wants to know. */
export type StreamOwner = {
  /** Time that the socket took to connect, including TLS, in ms. */
  readonly connectMs: number
  /** Whether the call waited for the connection. */
  readonly isNew: boolean
  readonly isConnected: () => boolean
  /** Something of the response has arrived. */
  readonly onHeard: () => void
  /** Called once. `isAnswered`: whether the upstream answered the call, or ended it. */
  readonly onOver: (call: StreamCall, isAnswered: boolean) => void
}

/** Error codes for which either side has seen something that is not HTTP/2. */
const NOT_HTTP: readonly (number | undefined)[] = [
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FRAME_SIZE_ERROR,
  constants.NGHTTP2_COMPRESSION_ERROR,
]
/** Node's code for a connection whose bytes are not HTTP/2. */
const NOT_HTTP2 = 'ERR_HTTP2_ERROR'

const MIN_FINAL_STATUS = 200

const withCode = (message: string, code: string, cause?: unknown) =>
  Object.assign(new Error(message, { cause }), { code })

export const notProcessed = (cause?: unknown) =>
  withCode('the upstream did not process the request', NOT_PROCESSED, cause)

const GIVEN_UP = Object.assign(new Error('the call was given up'), { name: 'AbortError' })

/** One call as a stream: undici's callbacks, passed on as the events of a response. */
export class StreamCall implements Dispatcher.DispatchHandler {
  readonly #request: OutgoingRequest
  readonly #events: ResponseEvents
  readonly #owner: StreamOwner
  readonly body: BodyStream | undefined
  #control: Control | undefined
  #isSent = false
  #hasHead = false
  #isOver = false

  constructor(request: OutgoingRequest, events: ResponseEvents, owner: StreamOwner) {
    this.#request = request
    this.#events = events
    this.#owner = owner
    this.body = request.body === undefined ? undefined : new BodyStream(request.body, () => this.#onChunk())
    // Its errors reach the call by undici; without a listener one that comes later would end the process.
    this.body?.on('error', () => {})
  }

  get connectMs(): number {
    return this.#owner.connectMs
  }

  #onChunk(): void {
    this.#guard(() => {
      if (!this.#isOver) this.#events.bodySent()
    })
  }

  // ———— for whoever has the response

  pause(): void {
    this.#control?.pause()
  }

  resume(): void {
    this.#control?.resume()
  }

  /** Bytes of the request's body that have not become frames. undici does not tell of those that the socket holds. */
  untaken(): number {
    return this.body?.readableLength ?? 0
  }

  /** Gives the call up and resets its stream. Nothing is reported after it. */
  abort(): void {
    if (this.#isOver) return
    this.#over(this.#hasHead)
    this.#cancel()
  }

  /** Fails the call and resets its stream. */
  fail(error: Error): void {
    if (this.#isOver) return
    this.#over(false)
    this.#cancel()
    this.#guard(() => this.#events.failed(error))
  }

  #cancel(): void {
    this.#control?.abort(GIVEN_UP)
    this.body?.destroy()
  }

  #over(isAnswered: boolean): void {
    this.#isOver = true
    this.#owner.onOver(this, isAnswered)
  }

  // ———— undici's callbacks

  onRequestStart(control: Control): void {
    if (this.#isOver) return control.abort(GIVEN_UP)
    // undici sends what was refused once more by itself. The new attempt is for the call to make, and to count.
    if (this.#control !== undefined) return control.abort(notProcessed())
    this.#control = control
    this.#guard(() => this.#events.started(this.#owner.isNew ? this.connectMs : undefined))
  }

  onRequestSent(): void {
    this.#isSent = true
    this.#guard(() => {
      if (!this.#isOver) this.#events.requestSent()
    })
  }

  onResponseStart(_control: Control, status: number, fields: Fields): void {
    if (this.#isOver) return
    this.#owner.onHeard()
    const head = { status, statusText: reasonOf(status), headers: flat(fields) }
    this.#hasHead ||= status >= MIN_FINAL_STATUS
    this.#guard(() => (status < MIN_FINAL_STATUS ? this.#events.interim(head) : this.#events.head(head)))
  }

  onResponseData(_control: Control, chunk: Buffer): void {
    if (this.#isOver) return
    this.#guard(() => this.#events.data(chunk))
  }

  onResponseEnd(_control: Control, trailers: Fields): void {
    if (this.#isOver) return
    this.#over(true)
    // The upstream has said all that it will say: the rest of the request is of no use to it.
    if (!this.#isSent) this.body?.destroy(GIVEN_UP)
    this.#guard(() => this.#events.end(flat(trailers)))
  }

  onResponseError(_control: Control | undefined, error: Error): void {
    if (this.#isOver) return
    const fault = this.#faultOf(error)
    this.#over(true)
    this.body?.destroy()
    this.#guard(() => this.#events.failed(fault))
  }

  #faultOf(error: Error & { readonly code?: unknown; readonly http2ErrorCode?: number }): Error | MessageFault {
    const { code, http2ErrorCode } = error
    if (code === BODY_BROKE || code === NOT_PROCESSED) return error
    if (http2ErrorCode === constants.NGHTTP2_REFUSED_STREAM || isGoaway(error)) return notProcessed(error)
    if (http2ErrorCode === constants.NGHTTP2_HTTP_1_1_REQUIRED && !this.#hasHead)
      return withCode('the upstream wants HTTP/1.1', WANTS_HTTP1, error)
    if (NOT_HTTP.includes(http2ErrorCode) || code === NOT_HTTP2) return malformed('not HTTP/2')
    if (this.#request.body !== undefined && !this.#isSent && !this.#hasHead)
      return withCode('reset while the request was sent', REFUSED_WHILE_SENDING, error)
    return this.#owner.isConnected() ? withCode('the upstream reset the stream', STREAM_RESET, error) : error
  }

  /** An error of the sidecar's own ends this call alone: undici would blame the upstream, or end the process. */
  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.abort()
      this.#events.lost(error)
    }
  }
}

/** Whether undici failed a request because the upstream's GOAWAY said that it was not processed. */
const isGoaway = ({ message }: Error) => message.startsWith('HTTP/2: "GOAWAY" frame received')

/** undici gives the fields of a response as an object: of several with one name only Set-Cookie stays apart. */
function flat(fields: Fields): string[] {
  const headers: string[] = []
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'string') headers.push(name, value)
    else for (const one of value ?? []) headers.push(name, one)
  }
  return headers
}
