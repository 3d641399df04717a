/** Client errors that a retry may resolve (RFC 9110 section 15.5, RFC 8470, RFC 6585). */
const PASSING = new Set<string | number>([408, 425, 429])

/** Whether a status means that the request itself is wrong, so that a retry cannot help. */
export const isClientError = (status: string | number) =>
  !PASSING.has(status) && (status === '4xx' || (typeof status === 'number' && status < 500))
