import { get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Running } from './processes.ts'

const POLL_EVERY_MS = 2
const GIVE_UP_AFTER_MS = 30_000

/**
 * Polls a server on 127.0.0.1 until it answers with `wantedStatus`.
 * @throws Error when the process ends first, or after `GIVE_UP_AFTER_MS`.
 */
export async function firstAnswer(port: number, path: string, wantedStatus: number, server: Running): Promise<void> {
  const giveUpAt = performance.now() + GIVE_UP_AFTER_MS
  for (;;) {
    const status = await statusOf(port, path)
    if (status === wantedStatus) return
    const failure = server.failure()
    if (failure !== undefined) throw new Error(failure)
    if (performance.now() > giveUpAt)
      throw new Error(`no ${wantedStatus} within ${GIVE_UP_AFTER_MS} ms, last: ${status ?? 'no answer'}`)
    await delay(POLL_EVERY_MS)
  }
}

/** @returns undefined when the port has no listener, or the connection is broken off. */
function statusOf(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume().on('close', () => resolve(response.statusCode))
    }).on('error', () => resolve(undefined))
  })
}
