/** Client errors that another attempt may well mend (RFC 9110 section 15.5, RFC 8470, RFC 6585). */
const PASSING = new Set<string | number>([408, 425, 429])

/** Whether a status says that the request is wrong, so that it is as wrong the next time. */
export const isClientError = (status: string | number) =>
  !PASSING.has(status) && (status === '4xx' || (typeof status === 'number' && status < 500))
