/** Warns of jobs that are never learned, never bounded, or never seen to end. */

import { matchParts } from '../../job/match.ts'
import type { Rules } from '../../policy/scope.ts'
import type { FileRouteScope } from './rule.ts'

type Route = FileRouteScope['route']

const isPolled = ({ failureWhen, completedWhen, hold }: Route) =>
  failureWhen !== false || completedWhen !== false || hold !== false

export const JOB_RULES: Rules<FileRouteScope> = {
  'job-never-learned': ({ route, upstream }) =>
    route.job === false || upstream.routes.some(({ creates }) => creates !== false)
      ? undefined
      : {
          at: ['job'],
          reason: `no route of ${upstream.name} creates jobs: the ids are in the log, and no job is followed or bounded by a deadline`,
          fix: 'creates: { id: { json: /id } } on the route that creates the jobs',
        },

  'created-and-never-asked-for': ({ route, upstream }) =>
    route.creates === false || upstream.routes.some(({ job }) => job !== false)
      ? undefined
      : {
          at: ['creates'],
          reason: `no route of ${upstream.name} belongs to a job: no poll is bounded by the deadline, and each job ends as abandoned`,
          fix: 'job: id on the routes that poll the jobs and fetch their results',
        },

  'job-end-never-seen': ({ route, upstream }) => {
    const bound = upstream.routes.filter(({ job }) => job !== false)
    if (route.creates === false || bound.length === 0 || bound.some(isPolled)) return undefined
    return {
      at: ['creates'],
      reason:
        'no route with job says what a completed or a failed job looks like: each job ends as abandoned, or by its deadline',
      fix: 'failureWhen, completedWhen or hold on the route that polls the jobs',
    }
  },

  'creates-on-get': ({ route, match }) => {
    const { method } = matchParts(match ?? '*')
    if (route.creates === false || (method !== 'GET' && method !== 'HEAD')) return undefined
    return {
      at: ['creates'],
      reason: `${method} creates nothing, as clients and caches take it: it is repeated, and each repetition may be another job`,
      fix: 'creates on the POST that creates the jobs; job on this route',
    }
  },

  'deadline-bounds-no-poll': ({ route, upstream }) => {
    const { job } = route
    const isBounded = upstream.routes.some(({ creates }) => creates !== false && creates.deadline !== undefined)
    if (typeof job !== 'object' || !('json' in job) || !isBounded) return undefined
    return {
      at: ['job'],
      reason: "the id is only known from the response: the job's deadline cannot bound the request",
      fix: 'the id in the request: { path: id }, { query: id } or { header: x-job-id }',
    }
  },
}
