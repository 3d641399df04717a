/**
 * Calls every function of a list even when one throws, so that a slot which another function frees is not lost.
 * @throws the first error, after all have been called.
 */
export function callEach<A extends unknown[]>(functions: Iterable<(...args: A) => void>, ...args: A): void {
  let failure: { readonly error: unknown } | undefined
  for (const call of functions) {
    try {
      call(...args)
    } catch (error) {
      failure ??= { error }
    }
  }
  if (failure !== undefined) throw failure.error
}
