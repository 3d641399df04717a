/**
 * One scripted service as a process: options as JSON in its argument, messages to its parent by IPC. Begins when its parent
 * names the port.
 */

import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type ServiceOptions, startService } from './job-service.ts'
import { handlerFor, type Job, type Jobs } from './services.ts'

const [, , optionsText = '{}', stateFile = ''] = process.argv
const options: ServiceOptions = JSON.parse(optionsText)
const jobs: Jobs = new Map()
const handler = handlerFor(options, jobs)
process.on('disconnect', () => process.exit())
const [begin]: { port: number }[] = await once(process, 'message')
for (const job of savedJobs()) jobs.set(job.id, job)

const tell = (news: object) => process.send?.(news)
const { port } = await startService(
  { ...options, port: begin?.port ?? 0 },
  handler,
  (isStruggling) => tell({ isStruggling }),
  () => {
    writeFileSync(stateFile, JSON.stringify([...jobs.values()]))
    process.exit()
  },
)
tell({ port })

function savedJobs(): Job[] {
  const text = readFileSync(stateFile, 'utf8')
  return text === '' ? [] : JSON.parse(text)
}
