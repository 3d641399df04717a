/** The keys that a JSON Pointer (RFC 6901) leads through. */
export const keysOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))

/** The value at a JSON Pointer (RFC 6901); undefined without one. */
export const pointed = (json: unknown, pointer: string): unknown =>
  keysOf(pointer).reduce<unknown>((value, key) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    return (value as Readonly<Record<string, unknown>>)[key]
  }, json)
