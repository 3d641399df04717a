import { writtenMs } from '../../config/kinds/units.ts'
import { compileCondition, type Condition, leavesOf } from '../../job/condition.ts'
import { type CreatedIdSource, decodedSegment, idInValue } from '../../job/id.ts'
import { idReader, type IdSource, namesIn, type ReadId } from '../../job/match.ts'
import { computedMs, type Inputs, type TimeoutRules } from '../../job/timeouts.ts'
import type { JobLink, NewJob } from '../exchange.ts'
import type { FailureWhenSettings } from '../failure-when/settings.ts'
import { completedIn, sourceText } from '../failure-when/source.ts'
import { type HoldSettings, runningIn } from '../hold/settings.ts'
import type { Place } from '../policy.ts'
import type { ExplainScope, Names } from '../scope.ts'
import { type Creation, type JobTracking, tracking } from './jobs.ts'
import { boundIn, createdIn, type Creates, JOBS, type JobsSettings } from './settings.ts'
import { type StandingRule, wordsIn } from './standing.ts'

type Settings = JobsSettings & HoldSettings & FailureWhenSettings

export const jobsPolicy = {
  name: 'jobs',
  settings: JOBS,
  traits: ({ match, route }: Place<Settings>, rules: TimeoutRules) => ({ jobLink: linkOf(match, route, rules) }),
  gate: ({ match, route, deps }: Place<Settings>) => {
    const { creates, job } = route
    return creates === false && job === false ? undefined : tracking(trackingOf(match, route), deps)
  },
  explain: ({ route, part }: ExplainScope<JobsSettings>) => {
    const { creates } = route
    const bound = boundIn(route)
    return [
      ...(creates === false ? [] : [part('creates', createsSays(creates))]),
      ...(bound === undefined ? [] : [part('job', `belongs to the job that ${sourceText(bound)} names`)]),
    ]
  },
  conflicts: (settings: JobsSettings, { match, computed }: Names) => {
    const { creates } = settings
    const names = namesIn(match)
    const unnamed = (path: readonly string[], source: object | undefined) =>
      source !== undefined && 'path' in source && !names.includes(String(source.path))
        ? [{ path, message: `no {${source.path}} in match` }]
        : []
    const deadline = creates === false ? undefined : creates.deadline
    return [
      ...unnamed(['creates', 'id'], creates === false ? undefined : createdIn(creates)),
      ...unnamed(['job'], boundIn(settings)),
      ...(typeof deadline === 'object' && !computed.includes(deadline.computed)
        ? [{ path: ['creates', 'deadline'], message: `no timeout is named ${deadline.computed}` }]
        : []),
    ]
  },
}

function createsSays(creates: Creates): string {
  const { deadline, abandonedAfterMs } = creates
  const source = createdIn(creates)
  const where = 'header' in source ? `field ${source.header} of the response` : sourceText(source)
  const length =
    typeof deadline === 'object' ? `the computed timeout ${deadline.computed}` : deadline && writtenMs(deadline)
  const bounded = length === undefined ? 'without a deadline' : `with a deadline after ${length}`
  return `creates a job, named by ${where}, ${bounded}; abandoned after ${writtenMs(abandonedAfterMs)} without a request`
}

function linkOf(match: string, route: Settings, rules: TimeoutRules): JobLink | undefined {
  const { creates } = route
  const bound = boundIn(route)
  if (creates === false && bound === undefined) return undefined
  return {
    idOf: bound === undefined || 'json' in bound ? undefined : requestReader(bound, match),
    isPolled: ruleOf(route) !== undefined,
    newJob: creates === false ? undefined : newJobOf(creates, rules),
  }
}

const newJobOf =
  ({ deadline }: Creates, rules: TimeoutRules) =>
  (inputs: Inputs): NewJob => ({
    inputs,
    deadlineMs: typeof deadline === 'object' ? computedMs(deadline.computed, undefined, rules, inputs) : deadline,
  })

/** An id of a path is decoded, so that it equals the one in a response's JSON. */
function requestReader(source: Exclude<IdSource, { readonly json: string }>, match: string): ReadId {
  const read = idReader(source, match)
  if (!('path' in source)) return read
  return (request) => {
    const id = read(request)
    return id && decodedSegment(id)
  }
}

function trackingOf(match: string, route: Settings): JobTracking {
  const { creates, inspectBytes } = route
  const bound = boundIn(route)
  return {
    creation: creates === false ? undefined : creationOf(createdIn(creates), match, creates),
    idAt: bound !== undefined && 'json' in bound ? bound.json : undefined,
    rule: ruleOf(route),
    limitBytes: inspectBytes,
  }
}

function creationOf(source: CreatedIdSource, match: string, { abandonedAfterMs }: Creates): Creation {
  const none = { ofRequest: undefined, ofHead: undefined, ofBody: undefined, abandonedAfterMs }
  if ('path' in source || 'query' in source) return { ...none, ofRequest: requestReader(source, match) }
  const read = idInValue(source.match)
  if ('json' in source) return { ...none, ofBody: { pointer: source.json, read } }
  const name = source.header.toLowerCase()
  return { ...none, ofHead: (report) => read(report.header(name)) }
}

/** undefined where nothing says what a response reports. */
function ruleOf(route: Settings): StandingRule | undefined {
  const { failureWhen, completedWhen, hold } = route
  const whenCompleted = completedIn(route)
  const whenRunning = hold === false ? undefined : runningIn(hold)
  const whenFailed = failureWhen === false ? undefined : failureWhen
  const all = [whenRunning, whenCompleted, whenFailed].filter((condition) => condition !== undefined)
  if (all.length === 0) return undefined
  const compiled = (condition: (typeof all)[number] | undefined) => condition && compileCondition(condition)
  return {
    failed: compiled(whenFailed),
    completed: compiled(whenCompleted),
    running: compiled(whenRunning),
    isCompletedWritten: completedWhen !== false,
    words: wordsIn(all),
    readsBody: all.some(readsBody),
  }
}

const readsBody = (condition: Condition) =>
  leavesOf(condition).some(({ json, text }) => json !== undefined || text !== undefined)
