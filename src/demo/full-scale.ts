/**
 * A line of the log as it would be in a world where a second lasts a second: times, and whatever is in ms. With that the
 * configuration in force is the one that was scaled, and a simulation of the two is one of the demo.
 * @param startedAt wall-clock ms that stay where they are.
 * @param scale what a second lasts in the line.
 */
export function atFullScale(line: string, startedAt: number, scale: number): string {
  const stretched = (key: string, value: unknown) => {
    if (key === 'time') return new Date(startedAt + (Date.parse(String(value)) - startedAt) / scale).toISOString()
    const isLength = typeof value === 'number' && (key === 'ms' || key.endsWith('_ms'))
    return isLength ? Math.round((value / scale) * 1000) / 1000 : value
  }
  return `${JSON.stringify(JSON.parse(line, stretched))}\n`
}
