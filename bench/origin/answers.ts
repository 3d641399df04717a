/** Response body of every origin to GET /json: 300 bytes. */
export const JSON_ANSWER = jsonOf(300)

/** Sizes N that every origin serves at GET /bytes/N, in bytes. */
export const BODY_SIZES = [2 ** 20, 10_000_000, 200_000_000]

function jsonOf(bytes: number): string {
  const frame = JSON.stringify({ status: 'processing', note: '' })
  return JSON.stringify({ status: 'processing', note: 'x'.repeat(bytes - frame.length) })
}
