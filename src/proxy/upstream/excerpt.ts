/** Largest number of bytes of a response that the log shows, and of one that has no head to be seen. */
const EXCERPT_BYTES = 300
const UNKNOWN_BYTES = 64

/** Fields whose values are shown: they tell how a message is framed and of what kind it is. Any other may hold a secret. */
const SHOWN: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'server',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
])

/**
 * The beginning of a response that could not be read, in printable characters: its first lines without the values of their
 * fields, and nothing of its body.
 * @param hasHead whether its head was read before: then what came last may be its body.
 */
export function excerptOf(bytes: Buffer, hasHead: boolean): string {
  const text = bytes.toString('latin1', 0, EXCERPT_BYTES)
  if (!text.startsWith('HTTP/')) return hasHead ? '' : printable(text.slice(0, UNKNOWN_BYTES))
  const [head = ''] = text.split(/\r?\n\r?\n/, 1)
  return printable(head.replaceAll(/(?<=\n).*/g, shownLine))
}

function shownLine(line: string): string {
  if (/^[\t ]/.test(line)) return ' …'
  const colon = line.indexOf(':')
  if (colon < 0 || SHOWN.has(line.slice(0, colon).trim().toLowerCase())) return line
  return `${line.slice(0, colon + 1)} …`
}

const printable = (text: string) => JSON.stringify(text).slice(1, -1)
