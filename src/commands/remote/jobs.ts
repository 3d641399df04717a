import { systemClock } from '../../clock.ts'
import { ApiError, type Api } from '../../dashboard/api.js'
import { many, moment } from '../../dashboard/format.js'
import { inputsOf, leftOf, lifeOf, NO_JOBS, startOf } from '../../dashboard/job-words.js'
import type { CheckpointView, Job, JobProgress } from '../../dashboard/shapes.ts'
import { freshState, jobRows, type JobRow, type State } from '../../dashboard/state.js'
import { printed, type Span, tabular } from '../../top/spans.ts'
import { command, wholeNumber } from '../command.ts'
import { UsageError } from '../usage-error.ts'
import { ASKING_OPTIONS, ASKING_USAGE, asking, printedJson, Refused } from './sidecar.ts'

const PAGE = 100
const MAX_JOBS = 1_000
const LITTLE_S = 60
const NOT_FOUND = 404

export const jobsCommand = command({
  name: 'jobs',
  usage: `  breakwater jobs [-n 50] ${ASKING_USAGE}
                                   list jobs with the time left and their stages, the nearest deadline first
  breakwater jobs ID …             show a job: its inputs, timeouts and checkpoints
`,
  options: { ...ASKING_OPTIONS, number: { type: 'string', short: 'n', default: '50' } },
  allowPositionals: true,
  run: (values, [id, ...others], surroundings) => {
    if (others.length > 0) throw new UsageError('expected one id of a job at most')
    const most = wholeNumber('--number', values.number)
    const { write, terminal } = surroundings
    return asking(values, surroundings, async (api, signal) => {
      const state = freshState()
      await readJobs(api, state, signal)
      const rows = jobRows(state, systemClock.now())
      if (id !== undefined) {
        const row = rows.find((one) => one.id === id)
        if (row === undefined) throw new Refused(`there is no job ${id}, and no checkpoint of it`)
        const found = await checkpointsOf(row, api, signal)
        if (values.json) write(printedJson({ ...documentOf(row), checkpoints: found }))
        else write(printed(linesOf(row, found), terminal.isColoured()))
        return 0
      }
      if (values.json) write(printedJson({ jobs: rows.slice(0, most).map(documentOf), total: rows.length }))
      else write(printed(listLines(rows, most), terminal.isColoured()))
      return 0
    })
  },
})

/** Reads registered jobs, and checkpoints page by page, so that no answer keeps the sidecar's event loop long. */
export async function readJobs(api: Api, state: State, signal: AbortSignal): Promise<void> {
  const readAtMs = systemClock.now()
  const { jobs, total }: { jobs: Job[]; total: number } = await api.get(`v1/jobs?limit=${MAX_JOBS}`, signal)
  state.jobs = new Map(jobs.map((job) => [job.job_id, { ...job, readAtMs }]))
  state.jobsInAll = total
  let cursor: string | null = null
  do {
    const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: { jobs: JobProgress[]; next_cursor: string | null } = await api.get(
      `v1/progress?limit=${PAGE}${after}`,
      signal,
    )
    for (const { job_id: job, stages } of page.jobs)
      state.progress.set(job, new Map(stages.map((stage) => [stage.stage, stage])))
    cursor = page.next_cursor
  } while (cursor !== null && state.progress.size < MAX_JOBS)
}

async function checkpointsOf({ id, stages }: JobRow, api: Api, signal: AbortSignal): Promise<CheckpointView[]> {
  const found: CheckpointView[] = []
  for (const [stage] of stages) {
    try {
      found.push(await api.get(`v1/checkpoints/${encodeURIComponent(id)}?stage=${encodeURIComponent(stage)}`, signal))
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== NOT_FOUND) throw error // cleared meanwhile
    }
  }
  return found
}

function listLines(rows: readonly JobRow[], most: number): Span[][] {
  if (rows.length === 0) return [[[NO_JOBS]]]
  const left = rows.length - most
  return [
    ...tabular(rows.slice(0, most).map(rowSpans)),
    ...(left <= 0 ? [] : [[[`and ${many(left, 'more job')}: -n ${rows.length}`, 'faint'] as Span]]),
  ]
}

function rowSpans(row: JobRow): Span[] {
  const { id, leftS, stages } = row
  const progress = stages.map(([stage, { completed_items: done, total_items: all }]) => `${stage} ${done} of ${all}`)
  return [
    [id],
    [leftOf(row), leftS === 0 ? 'bad' : leftS !== null && leftS < LITTLE_S ? 'warn' : 'faint'],
    [progress.join(', ')],
    [aboutOf(row), 'faint'],
  ]
}

const aboutOf = (row: JobRow) => [lifeOf(row), inputsOf(row)].filter((one) => one !== '').join(', ')

function linesOf(row: JobRow, checkpoints: readonly CheckpointView[]): Span[][] {
  return [
    [[`${row.id}: ${leftOf(row)}`]],
    ...(aboutOf(row) === '' ? [] : [[[`  ${aboutOf(row)}`] as Span]]),
    ...(row.job === undefined ? [] : [[[`  ${startOf(row.job)}`] as Span]]),
    ...checkpoints.flatMap(
      ({ stage, completed_items: done, total_items: all, timestamp, revision, expires_at }): Span[][] => [
        [[`  ${stage}: ${done} of ${all}`, 'strong']],
        [[`    Saved ${moment(timestamp)}, revision ${revision}, expires ${moment(expires_at)}`, 'faint']],
      ],
    ),
    ...(checkpoints.length === 0 ? [[['  No checkpoint.'] as Span]] : []),
  ]
}

const documentOf = ({ id, job, leftS, stages }: JobRow) => ({
  job_id: id,
  registered: job !== undefined,
  time_left_s: leftS,
  stages: stages.map(([stage, progress]) => ({ stage, ...progress })),
  ...(job === undefined
    ? {}
    : {
        inputs: job.inputs,
        timeouts: job.timeouts,
        life: job.life,
        started_at: job.started_at,
        deadline_at: job.deadline_at,
      }),
})
