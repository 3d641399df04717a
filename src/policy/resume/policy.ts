import { flag } from '../../config/kinds/kinds.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS, type Place } from '../policy.ts'
import { budgetOf, type BudgetState } from '../retry/policy.ts'
import { rulesOf } from '../retry/rules.ts'
import type { RetryBudget, RetrySettings } from '../retry/settings.ts'
import type { CallBounds, ExplainScope, RouteScope } from '../scope.ts'
import { forOtherMethod } from '../shared/for-get.ts'
import { resuming } from './resume.ts'

const RESUME = {
  ...NO_SETTINGS,
  routeOnly: { resume: setting(flag, false, 'Resumes a response body that breaks off, by Range and If-Range.') },
} as const

type ResumeSettings = Values<typeof RESUME.routeOnly>

export const resumePolicy = {
  name: 'resume',
  settings: RESUME,
  layer: ({ route, upstream, state, deps }: Place<ResumeSettings & RetrySettings, RetryBudget, BudgetState>) =>
    route.resume ? resuming(rulesOf(route, upstream), budgetOf(state), deps) : undefined,
  explain: ({ route: { resume }, method, part }: ExplainScope<ResumeSettings>) =>
    resume && method === 'GET' ? [part('resume', 'a body that breaks off is resumed by Range and If-Range')] : [],
  bounds: ({ route }: ExplainScope<ResumeSettings>): CallBounds =>
    route.resume ? { worst: '; and, for a body that breaks off, Range requests beyond that' } : {},
  warnings: {
    route: {
      'resume-never-tries': ({ route }: RouteScope<ResumeSettings & RetrySettings>) =>
        !route.resume || route.retry.attempts > 1
          ? undefined
          : {
              at: ['retry.attempts', 'resume'] as const,
              reason:
                'a download that breaks off is not gone on with: attempts bounds that, too, the first one included',
              fix: 'attempts: 3 or more on this route',
            },
      'only-for-get': ({ route, match }: RouteScope<ResumeSettings>) =>
        route.resume ? forOtherMethod('resume', match) : undefined,
    },
  },
}
