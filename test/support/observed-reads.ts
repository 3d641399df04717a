/**
 * Wraps a value and records which of its keys are read, at any depth: a key that is never read is unknown to readers.
 * @returns the value to hand out, and the paths of keys that have not been read.
 */
export function observedReads(value: object): { readonly observed: object; readonly unread: () => string[] } {
  const read = new Set<string>()
  const wrap = (inner: object, path: string): object =>
    new Proxy(inner, {
      get: (target, key) => {
        const got: unknown = Reflect.get(target, key)
        if (typeof key === 'symbol') return got
        const at = `${path}/${key}`
        read.add(at)
        return typeof got === 'object' && got !== null ? wrap(got, at) : got
      },
    })
  const keysOf = (inner: object, path: string): string[] =>
    Object.entries(inner).flatMap(([key, got]) => {
      const at = `${path}/${key}`
      return [at, ...(typeof got === 'object' && got !== null ? keysOf(got, at) : [])]
    })
  return { observed: wrap(value, ''), unread: () => keysOf(value, '').filter((at) => !read.has(at)) }
}
