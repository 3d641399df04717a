import { cpus } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Scenario } from './bench.ts'
import { bareNet, bareUndici, httpProxy } from './contestants/baselines.ts'
import { breakwater } from './contestants/breakwater.ts'
import type { Contestant } from './contestants/contestant.ts'
import { haproxy } from './contestants/haproxy.ts'
import { nginx } from './contestants/nginx.ts'
import { chooseFire } from './load/volley.ts'
import { divideCores } from './machine/cores.ts'
import { firstAnswer } from './machine/answers.ts'
import { freePort } from './machine/ports.ts'
import { createWorkplace, type Processes } from './machine/processes.ts'
import { type Options, readOptions, SCENARIOS, type ScenarioName, UsageError } from './options.ts'
import { startOrigin } from './origin/origin.ts'
import { sectionText, type Verdict, verdictText } from './report.ts'
import { checkpoints } from './scenarios/checkpoints.ts'
import { garbage } from './scenarios/garbage.ts'
import { get } from './scenarios/get.ts'
import { latency } from './scenarios/latency.ts'
import { log } from './scenarios/log.ts'
import { memory } from './scenarios/memory.ts'
import { reject } from './scenarios/reject.ts'
import { reload } from './scenarios/reload.ts'
import { scale } from './scenarios/scale.ts'
import { start } from './scenarios/start.ts'
import { stream } from './scenarios/stream.ts'
import { trace } from './scenarios/trace.ts'

const CONTESTANTS = [bareUndici, httpProxy, nginx, haproxy, breakwater, bareNet]
const SCENARIO: Readonly<Record<ScenarioName, Scenario>> = {
  get,
  stream,
  reject,
  latency,
  start,
  memory,
  log,
  garbage,
  scale,
  checkpoints,
  reload,
  trace,
}

const USAGE = `node bench/run.ts [--seconds 4] [--rounds 3] [--only a,e] [--scenario get,start]

contestants: ${CONTESTANTS.map(({ letter, name }) => `${letter} ${name}`).join(', ')}
scenarios: ${SCENARIOS.join(', ')}
`

const print = (text: string) => void process.stdout.write(text)
const complain = (text: string) => void process.stderr.write(text)

try {
  const letters = CONTESTANTS.map(({ letter }) => letter)
  await run(readOptions(process.argv.slice(2), letters))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  complain(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
}
process.exit() // the origin still runs

async function run(options: Options): Promise<void> {
  const { folder, processes } = createWorkplace()

  const cores = divideCores()
  const origin = await startOrigin(processes, folder)
  const load = chooseFire(processes)
  const asked = CONTESTANTS.filter(({ letter }) => options.only.has(letter))
  const skip = (name: string, reason: string) => print(`\nSkipped ${name}: ${reason}\n`)
  const contestants = asked.filter(({ absence }) => absence === undefined)

  print(`# Bench\n\nNode ${process.versions.node}; ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}; `)
  print(`${cores.description}; load: ${load.description}; origin: ${origin.description}; `)
  print(`${options.rounds} rounds of ${options.seconds} s. Medians; a ratio is the median of the rounds' own.\n`)
  for (const { name, absence } of asked) if (absence !== undefined) skip(name, absence)

  if (contestants.includes(breakwater)) await fillCache(breakwater, folder, origin.port, processes)
  const verdicts: Verdict[] = []
  for (const scenario of options.scenarios) {
    const say = (text: string) => complain(`${scenario}: ${text}\n`)
    const bench = {
      ...{ options, processes, cores, folder, originPort: origin.port, fire: load.fire, contestants, say },
      skip: (name: string, reason: string) => skip(`${scenario}: ${name}`, reason),
    }
    const section = await SCENARIO[scenario](bench)
    print(sectionText(section))
    verdicts.push(...section.verdicts)
  }
  print(`\n## Targets\n\n${verdicts.map(verdictText).join('')}`)
}

/**
 * Starts Breakwater once and ends it in order, so that its compiled code is on disk. Only the first start after an installation
 * goes without; it is slower and takes more memory.
 */
async function fillCache(
  contestant: Contestant,
  folder: string,
  originPort: number,
  processes: Processes,
): Promise<void> {
  const port = await freePort()
  const running = processes.start(await contestant.prepare({ port, originPort, folder }))
  await firstAnswer(port, '/json', 200, running)
  process.kill(running.pid, 'SIGTERM')
  while (running.failure() === undefined) await delay(50)
}
