/**
 * Rewrites a line of the log to full scale: its times, and every value in ms. The configuration in force then is the unscaled
 * one, and `simulate` can replay both.
 * @param startedAt wall-clock ms that stay unchanged.
 * @param scale length of a second in the line.
 */
export function atFullScale(line: string, startedAt: number, scale: number): string {
  const stretched = (key: string, value: unknown) => {
    if (key === 'time') return new Date(startedAt + (Date.parse(String(value)) - startedAt) / scale).toISOString()
    const isLength = typeof value === 'number' && (key === 'ms' || key.endsWith('_ms'))
    return isLength ? Math.round((value / scale) * 1000) / 1000 : value
  }
  return `${JSON.stringify(JSON.parse(line, stretched))}\n`
}
