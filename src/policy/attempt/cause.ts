/**
 * What the system, the TLS library or the codec said of a failed call, in one line. It has addresses and names of certificates,
 * and nothing of a message.
 */
export function saidBy(cause: unknown): string | undefined {
  if (cause instanceof AggregateError && cause.errors.length > 0) return saidBy(cause.errors.at(-1))
  if (!(cause instanceof Error)) return undefined
  // Errors of TLS have what went wrong apart from where in OpenSSL's code.
  const text = 'reason' in cause && typeof cause.reason === 'string' ? cause.reason : cause.message
  // What Node advises its own users to do is no advice here.
  const [line = ''] = text.split(/\n|; if the root CA /, 1)
  return line === '' ? undefined : line
}
