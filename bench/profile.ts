/** Profiles the sidecar's CPU time under the load of the scenario `get`: `npm run profile [-- --seconds 5]`. */

import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { breakwater } from './contestants/breakwater.ts'
import { chooseFire } from './load/volley.ts'
import { firstAnswer } from './machine/answers.ts'
import { freePort } from './machine/ports.ts'
import { createProcesses, type Processes, type Running } from './machine/processes.ts'
import { startOrigin } from './origin/origin.ts'
import { flameGraph } from './profile/flame-graph.ts'
import { heaviest, readFrames } from './profile/samples.ts'

const ROOT = join(import.meta.dirname, '..')
/** Functions in the printed list. */
const LISTED = 10
/** Time between two checks whether the sidecar has ended, in ms. */
const LOOK_EVERY_MS = 20
/** File name of the main thread's profile; every other thread writes a file, too. */
const OF_MAIN_THREAD = /^CPU\.\d+\.\d+\.\d+\.0\.\d+\.cpuprofile$/

const print = (text: string) => void process.stdout.write(text)

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '5' } } })
const seconds = Number(values.seconds)
if (!(seconds > 0)) throw new Error(`--seconds: expected a number above 0, got ${values.seconds}`)

const processes = createProcesses()
process.on('exit', processes.killAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))
await profile(mkdtempSync(join(tmpdir(), 'breakwater-profile-')), processes)
process.exit() // the origin still runs

/** @param folder where the profile and the flame graph stay. */
async function profile(folder: string, running: Processes): Promise<void> {
  const origin = await startOrigin(running, folder)
  const load = chooseFire(running)
  const port = await freePort()
  const { file, args } = await breakwater.prepare({ port, originPort: origin.port, folder })
  const sidecar = running.start({ file, args: ['--cpu-prof', `--cpu-prof-dir=${folder}`, ...args] })
  await firstAnswer(port, '/json', 200, sidecar)
  const sinceUs = Number(process.hrtime.bigint() / 1_000n)
  const { requests } = await load.fire(`http://127.0.0.1:${port}/json`, seconds)
  await drained(sidecar)

  const name = readdirSync(folder).find((entry) => OF_MAIN_THREAD.test(entry))
  if (name === undefined) throw new Error(`the sidecar wrote no profile: it ${sidecar.failure()}`)
  const frames = readFrames(readFileSync(join(folder, name), 'utf8'), ROOT, sinceUs)
  const page = join(folder, 'flame-graph.html')
  writeFileSync(page, flameGraph(frames, `Breakwater, ${requests} requests in ${seconds} s`))

  print(`${requests} requests in ${seconds} s; load: ${load.description}; origin: ${origin.description}\n\n`)
  for (const { name, at, selfMs } of heaviest(frames, LISTED))
    print(`${((100 * selfMs) / frames.totalMs).toFixed(1).padStart(5)} %  ${name}  ${at}\n`)
  print(
    `\nself time since the load began, without idle time\nprofile:     ${join(folder, name)}\nflame graph: ${page}\n`,
  )
}

/** Ends the sidecar by SIGTERM: after SIGKILL it would write no profile. */
async function drained(sidecar: Running): Promise<void> {
  process.kill(sidecar.pid, 'SIGTERM')
  while (sidecar.failure() === undefined) await delay(LOOK_EVERY_MS)
}
