/** Strict reader of the responses on one connection. Reports invalid HTTP and bytes of no or another request. */

import { firstWrong } from './pattern.ts'

/** The parts of a request on which its response depends. */
export type Asked = {
  readonly id: string
  readonly method: string
  readonly offersUpgrade: boolean
  /** False: the sidecar may read the faulty request as several, so only its first response is checked. */
  readonly isSound: boolean
}

type Fields = ReadonlyMap<string, readonly string[]>
type Head = { readonly status: number; readonly fields: Fields }
type State = 'head' | 'length' | 'chunk' | 'chunk-end' | 'trailers' | 'to-end' | 'tunnel' | 'over' | 'lost'

const STATUS_LINE = /^HTTP\/1\.1 ([1-9]\d\d) [\t\x20-\x7e\x80-\xff]*$/
const FIELD =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[\t ]*$/
const CHUNK_LINE = /^([0-9A-Fa-f]{1,12})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/
/** Longest head or chunk line. A longer one is a fault. */
const LONGEST_HEAD_BYTES = 4 * 1024 * 1024

export class ResponseReader {
  readonly #asked: readonly Asked[]
  readonly #onAnswer: () => void
  #rest: Buffer = Buffer.alloc(0)
  #state: State = 'head'
  #head: Head | undefined
  #left = 0
  #bodyBytes = 0
  /** Final responses that arrived whole. */
  answers = 0
  readonly faults: string[] = []
  /** Status of the newest final response, and in `text` its body in latin1 unless the body is a pattern. */
  status = 0
  text = ''

  /** @param asked in order; may grow meanwhile. @param onAnswer called after each final response and each fault. */
  constructor(asked: readonly Asked[], onAnswer: () => void) {
    this.#asked = asked
    this.#onAnswer = onAnswer
  }

  get isOver(): boolean {
    return this.#state === 'over' || this.#state === 'tunnel' || this.#state === 'lost'
  }

  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (this.#rest.length > 0 && this.#state !== 'lost' && this.#step());
  }

  /** Call when the other side ended the connection without a reset: a body without a length is then whole. */
  end(): void {
    if (this.#state === 'to-end') this.#complete()
  }

  /** @returns whether the remaining bytes may allow another step. */
  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#withBlock((block) => this.#readHead(block))
      case 'length':
      case 'chunk':
        return this.#readCounted()
      case 'chunk-end':
        return this.#withLine((line) => this.#readChunkLine(line))
      case 'trailers':
        return this.#withLine((line) => this.#readTrailer(line))
      case 'to-end':
        this.#body(this.#rest)
        return this.#taken(this.#rest.length)
      case 'tunnel':
        return this.#taken(this.#rest.length)
      case 'over':
        // A 400 for an unreadable head has a body, also where the method was HEAD: the sidecar could not read it.
        if (this.#rest.toString('latin1').startsWith('{"type":"urn:breakwater:bad_request"'))
          return this.#taken(this.#rest.length)
        this.#fault(`bytes after the last response: ${shown(this.#rest)}`)
        return false
      default:
        return false
    }
  }

  #withBlock(read: (block: string) => void): boolean {
    const end = this.#rest.indexOf('\r\n\r\n')
    if (end < 0) {
      const start = this.#rest.subarray(0, 9).toString('latin1')
      if (!'HTTP/1.1 '.startsWith(start) || this.#rest.length > LONGEST_HEAD_BYTES) {
        this.#fault(`no head of a response: ${shown(this.#rest)}`)
      }
      return false
    }
    const block = this.#rest.subarray(0, end).toString('latin1')
    this.#taken(end + 4)
    read(block)
    return true
  }

  #withLine(read: (line: string) => void): boolean {
    const end = this.#rest.indexOf('\r\n')
    if (end < 0) return false
    const line = this.#rest.subarray(0, end).toString('latin1')
    this.#taken(end + 2)
    read(line)
    return true
  }

  #taken(bytes: number): boolean {
    this.#rest = this.#rest.subarray(bytes)
    return true
  }

  #readHead(block: string): void {
    const [first = '', ...lines] = block.split('\r\n')
    const status = Number(STATUS_LINE.exec(first)?.[1] ?? 0)
    const fields = new Map<string, string[]>()
    for (const line of lines) {
      const [, name = '', value = ''] = FIELD.exec(line) ?? []
      if (name === '') return this.#fault(`no field: ${JSON.stringify(line.slice(0, 80))}`)
      fields.set(name.toLowerCase(), [...(fields.get(name.toLowerCase()) ?? []), value])
    }
    if (status === 0) return this.#fault(`no status line: ${JSON.stringify(first.slice(0, 80))}`)
    const asked = this.#asked[this.answers]
    if (asked !== undefined && !asked.isSound && asked.method === 'HEAD') {
      this.#state = 'lost'
      return
    }
    if (asked === undefined) return this.#fault(`a response that nobody asked for: ${first}`)
    this.#head = { status, fields }
    const echo = fields.get('x-echo')?.[0]
    if (asked.isSound && echo !== undefined && echo !== asked.id)
      return this.#fault(`the response of ${echo} in answer to ${asked.id}`)
    if (status === 101) return this.#switched(asked)
    if (status < 200) {
      if (fields.has('content-length') || fields.has('transfer-encoding')) this.#fault(`a ${status} with a length`)
      return
    }
    this.#begin(asked, status, fields)
  }

  #switched(asked: Asked): void {
    if (asked.isSound && !asked.offersUpgrade) return this.#fault('101 in answer to a request that offered nothing')
    this.answers += 1
    this.#state = 'tunnel'
    this.#onAnswer()
  }

  #begin({ method }: Asked, status: number, fields: Fields): void {
    this.#bodyBytes = 0
    this.text = ''
    const lengths = fields.get('content-length') ?? []
    const codings = fields.get('transfer-encoding') ?? []
    if (lengths.length + codings.length > 1) return this.#fault('two lengths of one response')
    if (lengths.some((length) => !/^\d{1,15}$/.test(length))) return this.#fault(`no length: ${lengths}`)
    if (codings.some((coding) => coding.toLowerCase() !== 'chunked')) return this.#fault(`no coding: ${codings}`)
    if (method === 'HEAD' || status === 204 || status === 304) return this.#complete()
    if (codings.length > 0) this.#state = 'chunk-end'
    else if (lengths.length === 0) this.#state = 'to-end'
    else {
      this.#left = Number(lengths[0])
      this.#state = 'length'
      if (this.#left === 0) this.#complete()
    }
  }

  #readCounted(): boolean {
    const bytes = this.#rest.subarray(0, this.#left)
    this.#body(bytes)
    this.#taken(bytes.length)
    this.#left -= bytes.length
    if (this.#left > 0) return false
    if (this.#state === 'length') this.#complete()
    else {
      if (this.#rest.length < 2) {
        this.#left = 0
        return false
      }
      if (this.#rest.subarray(0, 2).toString('latin1') !== '\r\n') this.#fault('no CRLF after a chunk')
      else this.#state = 'chunk-end'
      this.#taken(2)
    }
    return true
  }

  #readChunkLine(line: string): void {
    const [, size] = CHUNK_LINE.exec(line) ?? []
    if (size === undefined) return this.#fault(`no size of a chunk: ${JSON.stringify(line.slice(0, 40))}`)
    this.#left = Number.parseInt(size, 16)
    this.#state = this.#left === 0 ? 'trailers' : 'chunk'
  }

  #readTrailer(line: string): void {
    if (line === '') this.#complete()
    else if (!FIELD.test(line)) this.#fault(`no trailer: ${JSON.stringify(line.slice(0, 80))}`)
  }

  #body(bytes: Buffer): void {
    const fields = this.#head?.fields
    const id = fields?.get('x-echo')?.[0]
    const from = Number(fields?.get('x-from')?.[0] ?? 0)
    if (fields?.has('x-pattern') && id !== undefined) {
      const wrong = firstWrong(id, from + this.#bodyBytes, bytes)
      if (wrong !== undefined) {
        const there = bytes.subarray(wrong - from - this.#bodyBytes)
        this.#fault(`byte ${wrong} of the body of ${id} is another one's: ${shown(there)}`)
      }
    } else if (this.text.length < 65_536) this.text += bytes.toString('latin1')
    this.#bodyBytes += bytes.length
  }

  #complete(): void {
    const { status = 0, fields = new Map<string, string[]>() } = this.#head ?? {}
    const asked = this.#asked[this.answers]
    const hasBody = asked?.method !== 'HEAD' && status !== 204 && status !== 304
    const length = fields.get('x-length')?.[0]
    if (hasBody && length !== undefined && Number(length) !== this.#bodyBytes)
      this.#fault(`a body of ${this.#bodyBytes} bytes that ended as if whole; it has ${length}`)
    if (/urn:breakwater:internal"/.test(this.text)) this.#fault(`the sidecar's own fault: ${this.text}`)
    this.answers += 1
    this.status = status
    if (asked?.isSound === false) this.#state = 'lost'
    if (this.#state !== 'lost') this.#state = closes(fields) || this.#state === 'to-end' ? 'over' : 'head'
    this.#onAnswer()
  }

  #fault(what: string): void {
    this.faults.push(what)
    this.#state = 'lost'
    this.#onAnswer()
  }
}

const closes = (fields: Fields) => (fields.get('connection') ?? []).join(',').toLowerCase().includes('close')

const shown = (bytes: Buffer) => JSON.stringify(bytes.subarray(0, 80).toString('latin1'))
