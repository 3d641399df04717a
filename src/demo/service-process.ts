/** One scripted service as a process: options as JSON in its argument, messages to its parent by IPC. */

import { readFileSync, writeFileSync } from 'node:fs'
import { type ServiceOptions, startService } from './job-service.ts'
import { handlerFor, type Job, type Jobs } from './services.ts'

const [, , optionsText = '{}', stateFile = ''] = process.argv
const options: ServiceOptions = JSON.parse(optionsText)
const jobs: Jobs = new Map(savedJobs().map((job) => [job.id, job]))

const tell = (news: object) => process.send?.(news)
const { port } = await startService(
  options,
  handlerFor(options, jobs),
  (isStruggling) => tell({ isStruggling }),
  () => {
    writeFileSync(stateFile, JSON.stringify([...jobs.values()]))
    process.exit()
  },
)
tell({ port })
process.on('disconnect', () => process.exit())

function savedJobs(): Job[] {
  const text = readFileSync(stateFile, 'utf8')
  return text === '' ? [] : JSON.parse(text)
}
