/**
 * Wraps a callback of the platform: an error goes to `onThrow` with the arguments, instead of to the event loop, where it would
 * end the process.
 */
export const guarded =
  <A extends unknown[]>(run: (...args: A) => void, onThrow: (error: unknown, ...args: A) => void) =>
  (...args: A): void => {
    try {
      run(...args)
    } catch (error) {
      onThrow(error, ...args)
    }
  }
