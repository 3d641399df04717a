/** Statuses that a class has: 5xx those above 599, too, which are invalid (RFC 9110 section 15). */
const inClass = (name: string) => (name === '5xx' ? 500 : 100)

/** Statuses listed one by one or by class (`503`, `5xx`), as numbers. */
export function statusesIn(named: readonly (string | number)[]): ReadonlySet<number> {
  const classes = named.filter((name) => typeof name === 'string' && /^[1-5]xx$/.test(name)).map(String)
  const ofClasses = classes.flatMap((name) =>
    Array.from({ length: inClass(name) }, (_, i) => Number(name[0]) * 100 + i),
  )
  return new Set([...ofClasses, ...named.filter((name) => typeof name === 'number')])
}
