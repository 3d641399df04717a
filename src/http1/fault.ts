/**
 * Kind of a message fault. A server answers `malformed` and `preface` with 400, `head_too_large` with 431, `target_too_long`
 * with 414, `coding` with 501 and `version` with 505. `incomplete`: the connection ended within a message, or before a
 * response. `unasked`: bytes of a response that nobody had asked for.
 */
export type MessageFaultKind =
  | 'malformed'
  | 'head_too_large'
  | 'target_too_long'
  | 'coding'
  | 'version'
  | 'preface'
  | 'incomplete'
  | 'unasked'

/** Why a message is refused. It is no Error: it is returned, not thrown, and has no stack. */
export class MessageFault {
  readonly kind: MessageFaultKind
  /** Constant text for the log and the answer, without any bytes of the message. */
  readonly detail: string

  constructor(kind: MessageFaultKind, detail: string) {
    this.kind = kind
    this.detail = detail
  }
}

export const malformed = (detail: string) => new MessageFault('malformed', detail)
