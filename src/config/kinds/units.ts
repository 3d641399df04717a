/** Quantities of the configuration, always with a unit. */

import type { Address } from '../../net/listen.ts'

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
}

/** `250ms`, `1.5s`, `5m`, `1h30m`, `1d` in ms; undefined for other text, including numbers without a unit. */
export function durationMs(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return undefined
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)
  return parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (MS[unit] ?? 0), 0)
}

/** Formats ms: 90,000 as `1m30s`, 1,500 as `1.5s`, 250 as `250ms`. */
export function writtenMs(ms: number): string {
  if (!Number.isFinite(ms)) return 'for ever'
  if (ms < 1000) return `${Number(ms.toFixed(1))}ms`
  const tenths = Math.round(ms / 100) * 100
  const parts = [
    ['h', Math.floor(tenths / 3_600_000)],
    ['m', Math.floor((tenths % 3_600_000) / 60_000)],
    ['s', (tenths % 60_000) / 1000],
  ] as const
  return parts.map(([unit, amount]) => (amount === 0 ? '' : `${amount}${unit}`)).join('')
}

/** Formats bytes: 1,048,576 as `1MiB`, in the largest unit that fits to a tenth. */
export function writtenBytes(bytes: number): string {
  const units = ['GiB', 'MiB', 'KiB'] as const
  const unit = units.find((one) => bytes >= (BYTES[one] ?? 1))
  return unit === undefined ? `${bytes}B` : `${Number((bytes / (BYTES[unit] ?? 1)).toFixed(1))}${unit}`
}

/** `512B`, `64KiB`, `5GB` in whole bytes; undefined for other text. */
export function sizeBytes(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(B|[KMG]i?B)$/.exec(text) ?? []
  return amount === undefined ? undefined : Math.floor(Number(amount) * (BYTES[unit] ?? 0))
}

/** `127.0.0.1:8080`, `localhost:0`, `[::1]:8080`; undefined for other text. Port 0 means any free port. */
export function address(text: string): Address | undefined {
  const [, six, name, port = ''] = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? []
  const host = six ?? name
  return host === undefined || Number(port) > 65_535 ? undefined : { host, port: Number(port) }
}
