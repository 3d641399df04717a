/**
 * The same function, for the platform to call back: a throw is handed to `onThrow` with the arguments, where it would reach
 * the event loop otherwise and end the process.
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
