/** Bodies whose bytes follow from the id of their request, so a byte of another body or at a wrong offset is found. */

/** @param from offset of the first byte in the whole body. */
export function patternOf(id: string, from: number, length: number): Buffer {
  const unit = Buffer.from(`${id}.`, 'latin1')
  const start = from % unit.length
  const whole = Buffer.alloc(start + length, unit)
  return whole.subarray(start)
}

/** Offset in the whole body of the first byte that differs from the pattern; undefined when none does. */
export function firstWrong(id: string, from: number, bytes: Buffer): number | undefined {
  const right = patternOf(id, from, bytes.length)
  if (right.equals(bytes)) return undefined
  return from + bytes.findIndex((byte, at) => byte !== right[at])
}
