import { namesIn } from '../../job/match.ts'
import type { Names } from '../scope.ts'
import { boundIn, createdIn, JOBS, type JobsSettings } from './settings.ts'

export const jobsPolicy = {
  name: 'jobs',
  settings: JOBS,
  conflicts: (settings: JobsSettings, { match, computed }: Names) => {
    const { creates } = settings
    const created = creates === false ? undefined : createdIn(creates)
    const bound = boundIn(settings)
    const names = namesIn(match)
    const unnamed = (path: readonly string[], source: object | undefined) =>
      source !== undefined && 'path' in source && !names.includes(String(source.path))
        ? [{ path, message: `no {${source.path}} in match` }]
        : []
    const deadline = creates === false ? undefined : creates.deadline
    return [
      ...unnamed(['creates', 'id'], created),
      ...unnamed(['job'], bound),
      ...(typeof deadline === 'object' && !computed.includes(deadline.computed)
        ? [{ path: ['creates', 'deadline'], message: `no timeout is named ${deadline.computed}` }]
        : []),
    ]
  },
}
