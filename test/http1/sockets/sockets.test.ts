import { expect, test } from 'vitest'
import { compareOnSockets } from './socket-run.ts'

/** Scenarios for the test; BREAKWATER_SOCKET_SCENARIOS raises their number, BREAKWATER_CODEC_SEED changes them. */
const SCENARIOS = Number(process.env.BREAKWATER_SOCKET_SCENARIOS ?? 400)
const SEED = Number(process.env.BREAKWATER_CODEC_SEED ?? 1)

test('sockets: both connections see what undici and node:http see, take no more, and keep no connection that both close', async () => {
  const { defects, agreed, stricter } = await compareOnSockets(SEED, 0, SCENARIOS)
  expect(defects.slice(0, 5)).toEqual([])
  // Scenarios that nobody takes would compare nothing.
  expect(agreed).toBeGreaterThan(SCENARIOS / 4)
  expect(stricter.size).toBeGreaterThan(5)
})
