import { expect, test } from 'vitest'
import { STRICTER } from './compare.ts'
import { compareStreams } from './differential.ts'

/** Streams for the test; BREAKWATER_CODEC_STREAMS raises their number, BREAKWATER_CODEC_SEED changes them. */
const STREAMS = Number(process.env.BREAKWATER_CODEC_STREAMS ?? 12_000)
const SEED = Number(process.env.BREAKWATER_CODEC_SEED ?? 1)

test('codec: takes nothing that llhttp refuses, and reads the same messages with the same ends', () => {
  const { defects, agreed, stricter } = compareStreams(SEED, 0, STREAMS)
  expect(defects.slice(0, 5)).toEqual([])
  // Streams that nobody takes would compare nothing.
  expect(agreed).toBeGreaterThan(STREAMS / 5)
  expect(stricter.size).toBeGreaterThan(15)
})

test('codec: whatever it alone refuses has its reason in an RFC', () => {
  for (const [refusal, reason] of Object.entries(STRICTER)) expect(reason, refusal).toMatch(/RFC 911[023] sections? \d/)
})
