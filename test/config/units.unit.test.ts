import { expect, test } from 'vitest'
import { address, durationMs, sizeBytes } from '../../src/config/kinds/units.ts'

test.each([
  ['250ms', 250],
  ['30s', 30_000],
  ['1.5s', 1_500],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['1d', 86_400_000],
  ['1h30m', 5_400_000],
  ['0ms', 0],
  ['30', undefined],
  ['-1s', undefined],
  ['10S', undefined],
  ['1 s', undefined],
  ['s', undefined],
  ['', undefined],
  ['1e3s', undefined],
])('the duration %s is %s ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms)
})

test.each([
  ['512B', 512],
  ['64KiB', 65_536],
  ['1MiB', 1_048_576],
  ['1GiB', 1_073_741_824],
  ['5GB', 5_000_000_000],
  ['1.5KB', 1_500],
  ['2KB', 2_000],
  ['5', undefined],
  ['5 GB', undefined],
  ['5gb', undefined],
  ['-5B', undefined],
])('the size %s is %s bytes', (text, bytes) => {
  expect(sizeBytes(text)).toBe(bytes)
})

test.each([
  ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  ['[::1]:65535', { host: '::1', port: 65_535 }],
  ['127.0.0.1:65536', undefined],
  ['127.0.0.1', undefined],
  [':8080', undefined],
  ['::1:8080', undefined],
  ['http://x:1', undefined],
])('the address %s', (text, expected) => {
  expect(address(text)).toEqual(expected)
})
