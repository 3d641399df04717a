/** @returns the JSON of the last line of a load generator's stdout, for the caller to check. */
export function lastJsonLine(stdout: string): unknown {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
}
