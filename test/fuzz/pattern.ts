/** Bodies whose every byte follows from the id of their request: a byte of another one, or at another place, is seen. */

/** @param from offset of the first byte in the whole body. */
export function patternOf(id: string, from: number, length: number): Buffer {
  const unit = Buffer.from(`${id}.`, 'latin1')
  const start = from % unit.length
  const whole = Buffer.alloc(start + length, unit)
  return whole.subarray(start)
}

/** Offset in the whole body of the first byte that is not the pattern's; undefined when all are. */
export function firstWrong(id: string, from: number, bytes: Buffer): number | undefined {
  const right = patternOf(id, from, bytes.length)
  if (right.equals(bytes)) return undefined
  return from + bytes.findIndex((byte, at) => byte !== right[at])
}
