/** @returns what the last line of a load generator's stdout says; the caller knows its shape. */
export function lastJsonLine(stdout: string): unknown {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
}
