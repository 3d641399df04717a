/**
 * Calls every function of a list, also where one of them throws: a slot that another one gives back is not lost with it.
 * @throws the first error, once all have been called.
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
