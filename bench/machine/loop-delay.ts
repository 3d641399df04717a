/**
 * Loaded into a process beside its own code (`--import`): on SIGUSR2 writes the longest pauses of its event loop since the
 * last time to the file that its own URL names (`?to=`): in all, and by the CPU time that its thread took meanwhile. What
 * the first has more than the second, the machine gave to others.
 */

import { renameSync, writeFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'

const TICK_MS = 1

const to = new URL(import.meta.url).searchParams.get('to') ?? ''
const longest = { pauseMs: 0, ownMs: 0 }
const cpuMs = () => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
let last = { at: performance.now(), cpu: cpuMs() }
setInterval(() => {
  const now = { at: performance.now(), cpu: cpuMs() }
  longest.pauseMs = Math.max(longest.pauseMs, now.at - last.at - TICK_MS)
  longest.ownMs = Math.max(longest.ownMs, now.cpu - last.cpu)
  last = now
}, TICK_MS).unref()

process.on('SIGUSR2', () => {
  writeFileSync(`${to}.new`, JSON.stringify(longest))
  renameSync(`${to}.new`, to)
  Object.assign(longest, { pauseMs: 0, ownMs: 0 })
})
