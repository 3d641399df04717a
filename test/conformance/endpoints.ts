/** The client and the upstream of a case, on raw sockets of 127.0.0.1. */

import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Answered, Arrived, Reply, Step } from './case.ts'
import { type Ending, type Message, readRequest, readResponse, statusOf } from './message.ts'

/** Rung at every change that a waiting step or check may be about. */
export class Bell {
  #waiting: (() => void)[] = []

  ring(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.next()
  }
}

/** The methods of the requests in the client's steps: what the responses are read by. */
const methodsIn = (steps: readonly Step[]) =>
  [...textOf(steps).matchAll(/^(\S+) \S+ HTTP\/1\.[01]\r$/gm)].map(([, method = '']) => method)

const textOf = (steps: readonly Step[]) =>
  steps.map((step) => (typeof step === 'string' ? step : 'bytewise' in step ? step.bytewise : '')).join('')

export class RawClient {
  readonly socket: Socket
  readonly #methods: readonly string[]
  readonly #bell: Bell
  #at = 0
  #interim: Message[] = []
  /** The final response under way is the last one. */
  #responses: Answered[] = []
  received = ''
  ending: Ending = 'open'

  constructor(port: number, steps: readonly Step[], bell: Bell) {
    this.#methods = methodsIn(steps)
    this.#bell = bell
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }).setEncoding('latin1')
    this.socket.on('data', (text: string) => this.#change(() => (this.received += text)))
    this.socket.on('end', () => this.#change(() => (this.ending = 'end')))
    this.socket.on('error', () => this.#change(() => (this.ending = 'reset')))
  }

  get responses(): readonly Answered[] {
    return this.#responses
  }

  get rest(): string {
    return this.received.slice(this.#at)
  }

  /** Whether every request that was recognized has its whole answer, or the connection is over. */
  get isOver(): boolean {
    const whole = this.#responses.filter(({ isWhole }) => isWhole).length
    return this.ending !== 'open' || whole >= Math.max(1, this.#methods.length)
  }

  #change(change: () => void): void {
    if (this.ending !== 'open') return
    change()
    this.#read()
    this.#bell.ring()
  }

  #read(): void {
    for (;;) {
      const last = this.#responses.at(-1)
      if (last?.status === 101 || (last?.isWhole && this.#responses.length >= Math.max(1, this.#methods.length))) return
      const isUnderWay = last !== undefined && !last.isWhole
      const at = isUnderWay ? this.#responses.length - 1 : this.#responses.length
      const message = readResponse(this.received, this.#at, this.#methods[at] ?? 'GET', this.ending)
      if (message === undefined) return
      const status = statusOf(message.startLine)
      if (status >= 100 && status < 200 && status !== 101) {
        this.#interim.push(message)
        this.#at = message.end
        continue
      }
      this.#responses[at] = { ...message, status, interim: this.#interim }
      if (!message.isWhole) return
      this.#interim = []
      this.#at = message.end
    }
  }
}

const OK = 'HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok'
/** Longest wait for the proxy to close an upstream connection after a case, in ms. */
const CLOSE_WITHIN_MS = 500

/** One TCP server for all cases. Each case stages its own replies on it. */
export class RawUpstream {
  readonly #server: Server
  readonly port: number
  #stage = new Stage([], new Bell())

  static async open(): Promise<RawUpstream> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the port of a TCP server is a number')
    return new RawUpstream(server, address.port)
  }

  private constructor(server: Server, port: number) {
    this.#server = server.on('connection', (socket) => this.#stage.take(socket))
    this.port = port
  }

  async stage(replies: readonly Reply[] | 'refuses', bell: Bell): Promise<Stage> {
    if (replies === 'refuses') await new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#stage = new Stage(replies === 'refuses' ? [] : replies, bell)
    return this.#stage
  }

  /** Ends the connections of the case and waits until the proxy has seen it, so that it uses none of them for the next case. */
  async clear(): Promise<void> {
    await this.#stage.clear()
    this.#stage = new Stage([], new Bell())
    if (this.#server.listening) return
    this.#server.listen(this.port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async close(): Promise<void> {
    await this.clear()
    this.#server.close()
  }
}

/** What the upstream does, and has seen, in one case. */
export class Stage {
  readonly #replies: readonly Reply[]
  readonly #bell: Bell
  readonly #sockets = new Set<Socket>()
  readonly requests: Arrived[] = []
  readonly received: string[] = []
  closed = 0
  /** Number of replies whose last step has come. */
  #answered = 0
  /** Runs the steps of a reply; set by whoever plays the case. */
  act: (steps: readonly Step[], socket: Socket) => Promise<void> = async (steps, socket) => {
    for (const step of steps) socket.write(String(step), 'latin1')
  }

  constructor(replies: readonly Reply[], bell: Bell) {
    this.#replies = replies
    this.#bell = bell
  }

  take(socket: Socket): void {
    const connection = this.received.push('') - 1
    let at = 0
    /** Index of the request under way; undefined between two. */
    let current: number | undefined
    let turn = Promise.resolve()
    const read = () => {
      for (;;) {
        const text = this.received[connection] ?? ''
        const message = readRequest(text, at)
        if (message === undefined) return
        const isNew = current === undefined
        const n = current ?? this.requests.length
        current = n
        const { answeredBefore } = this.requests[n] ?? { answeredBefore: this.#answered }
        this.requests[n] = { ...message, connection, answeredBefore }
        const reply = this.#replies[n] ?? [OK]
        const isEarly = 'early' in reply
        const steps = isEarly ? reply.early : reply
        if (isEarly ? isNew : message.isWhole) turn = turn.then(() => this.#reply(steps, socket))
        if (!message.isWhole) return
        current = undefined
        at = message.end
      }
    }
    this.#sockets.add(socket)
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.received[connection] += text
      read()
      this.#bell.ring()
    })
    socket.on('end', () => socket.end())
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.closed += 1
      this.#bell.ring()
    })
  }

  async #reply(steps: readonly Step[], socket: Socket): Promise<void> {
    await this.act(steps.slice(0, -1), socket)
    // Before the last step: a proxy may begin the next request as soon as it has the bytes.
    this.#answered += 1
    await this.act(steps.slice(-1), socket)
  }

  async clear(): Promise<void> {
    const closed = [...this.#sockets].map((socket) => {
      socket.end()
      socket.resume()
      return new Promise<void>((resolve) => socket.once('close', () => resolve()))
    })
    if (closed.length === 0) return
    const late = setTimeout(() => this.#sockets.forEach((socket) => void socket.destroy()), CLOSE_WITHIN_MS)
    await Promise.all(closed)
    clearTimeout(late)
  }
}
