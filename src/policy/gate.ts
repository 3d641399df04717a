import type { Exchange, Reply, Send } from './exchange.ts'

/**
 * A policy that lets calls in and sees their outcome, and makes no call of its own. Gates that follow each other share one
 * promise for each call. What a gate knows of a call it keeps in the exchange.
 */
export type Gate = {
  /** Lets a call in, at once or when the promise resolves. Throws or rejects to refuse it: then nothing else is called. */
  readonly enter?: (exchange: Exchange) => Promise<void> | undefined
  /** The response head has come. */
  readonly replied?: (exchange: Exchange, reply: Reply) => void
  /** A call that was let in has failed. @returns whether it asks to be let in again. */
  readonly failed?: (exchange: Exchange, error: unknown) => boolean
}

/** Puts gates around a send, outermost first. */
export function gated(gates: readonly Gate[], send: Send): Send {
  if (gates.length === 0) return send
  return async (exchange) => {
    /** Number of gates that have let the call in. */
    let entered = 0
    for (;;) {
      try {
        for (; entered < gates.length; entered += 1) {
          const wait = gates[entered]?.enter?.(exchange)
          if (wait !== undefined) await wait
        }
        const reply = await send(exchange)
        while (entered > 0) {
          entered -= 1
          gates[entered]?.replied?.(exchange, reply)
        }
        return reply
      } catch (error) {
        let isLetInAgain = false
        while (entered > 0 && !isLetInAgain) {
          entered -= 1
          isLetInAgain = gates[entered]?.failed?.(exchange, error) ?? false
        }
        // Not thrown: an exception costs twice as much as a rejection, and refusals come by the thousand.
        if (!isLetInAgain) return Promise.reject(error)
      }
    }
  }
}
