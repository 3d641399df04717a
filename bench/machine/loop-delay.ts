/**
 * Preloaded into a process by `--import`. On SIGUSR2 it writes the longest pauses of the event loop since the last SIGUSR2
 * to the file named by `?to=` in its URL: `pauseMs` by the clock, and `ownMs` by the CPU time of the thread. The difference
 * is time in which the machine ran other threads.
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
