/** A request and its response as something else recorded them. */
export type Exchange = {
  readonly upstream: string
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: readonly (readonly [name: string, value: string])[]
  readonly status: number
  /** Fields of the response, names in lower case; none where the recording has none. */
  readonly headers: ReadonlyMap<string, string>
  /** Value of a JSON body; undefined for another body, and where the recording has no bodies. */
  readonly body: unknown
  readonly bytes: number
  /** ms since the epoch. */
  readonly atMs: number
  /** From the arrival of the request to the response head; undefined without a head. */
  readonly firstByteMs: number | undefined
  readonly totalMs: number
}

export type Recording = {
  readonly exchanges: readonly Exchange[]
  /** Addresses of the upstreams by name; none where the recording has none. */
  readonly urls: ReadonlyMap<string, string>
  /** Whether it has response bodies: ids, statuses and conditions are learned from these alone. */
  readonly hasBodies: boolean
  /** Lines or entries that could not be read. */
  readonly unread: number
}
