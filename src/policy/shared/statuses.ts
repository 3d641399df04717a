/** Statuses listed one by one or by class (`503`, `5xx`), as numbers. */
export function statusesIn(named: readonly (string | number)[]): ReadonlySet<number> {
  const classes = named.filter((name) => typeof name === 'string' && /^[1-5]xx$/.test(name)).map(String)
  const ofClasses = classes.flatMap((name) => Array.from({ length: 100 }, (_, i) => Number(name[0]) * 100 + i))
  return new Set([...ofClasses, ...named.filter((name) => typeof name === 'number')])
}
