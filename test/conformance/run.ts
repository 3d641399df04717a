/**
 * Plays the conformance cases against proxies that run as processes: `npm run conformance -- --against nginx`, or sidecar,
 * haproxy, http-proxy, all. Prints counts by topic and each case that fails. `--only TEXT` plays the cases whose name contains
 * it; `--write` puts the table into docs/conformance.md. In what the RFCs require all are judged alike; the sidecar's own rules
 * are for the sidecar alone.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { httpProxy } from '../../bench/contestants/baselines.ts'
import { plainBreakwater } from '../../bench/contestants/breakwater.ts'
import type { Contestant } from '../../bench/contestants/contestant.ts'
import { plainHaproxy } from '../../bench/contestants/haproxy.ts'
import { nginx } from '../../bench/contestants/nginx.ts'
import { firstAnswer } from '../../bench/machine/answers.ts'
import { freePort } from '../../bench/machine/ports.ts'
import { createWorkplace } from '../../bench/machine/processes.ts'
import { GROUPS } from './cases/all.ts'
import { RawUpstream } from './endpoints.ts'
import { play } from './play.ts'
import { type Judged, type Results, tableOf, withTable } from './table.ts'

const PATIENCE_MS = 2_000
const PAGE = join(import.meta.dirname, '../../docs/conformance.md')
const CONTESTANTS: Readonly<Record<string, Contestant>> = {
  sidecar: plainBreakwater,
  nginx,
  haproxy: plainHaproxy,
  'http-proxy': httpProxy,
}

const { values } = parseArgs({
  options: {
    against: { type: 'string', default: 'sidecar' },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
})
const names = values.against === 'all' ? Object.keys(CONTESTANTS) : values.against.split(',')
const { folder, processes } = createWorkplace()
const say = (text: string) => void process.stdout.write(`${text}\n`)

const all: Results[] = []
for (const name of names) {
  const contestant = CONTESTANTS[name]
  if (contestant === undefined) throw new Error(`--against ${name}: one of ${Object.keys(CONTESTANTS).join(', ')}, all`)
  if (contestant.absence === undefined) all.push({ name: contestant.name, judged: await judge(contestant) })
  else say(`${name} is left out: ${contestant.absence}`)
}
const table = tableOf(all, plainBreakwater.name)
say(`\n${table}`)
if (values.write && all.length < Object.keys(CONTESTANTS).length)
  throw new Error('--write needs --against all, all installed')
if (values.write) writeFileSync(PAGE, withTable(readFileSync(PAGE, 'utf8'), table))
process.exit()

async function judge(contestant: Contestant): Promise<Judged[]> {
  const isSidecar = contestant === plainBreakwater
  const upstream = await RawUpstream.open()
  const port = await freePort()
  const place = { port, originPort: upstream.port, folder }
  const start = async () => {
    const running = processes.start(await contestant.prepare(place))
    await firstAnswer(port, '/', 200, running)
    await upstream.clear()
    return running
  }
  let process = await start()
  const judged: Judged[] = []
  say(`\n${contestant.name}`)
  for (const group of GROUPS) {
    for (const one of group.cases.filter((each) => isSidecar || !each.ours)) {
      const name = `${one.section}: ${one.name}`
      if (!name.includes(values.only)) continue
      const outcome = await play(one, { port, isStrict: one.ours ?? false, patienceMs: PATIENCE_MS }, upstream)
      const ending = process.failure()
      if (ending !== undefined) process = await start()
      const fault = ending === undefined ? outcome.fault : `the process ${ending}`
      judged.push({ group, one, fault })
      if (fault !== undefined) say(`  ${one.ours ? 'own rule, ' : ''}${name}\n    ${fault}`)
    }
  }
  await process.stop()
  await upstream.close()
  return judged
}
