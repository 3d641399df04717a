import { z } from 'zod'
import { flag, listOf, token } from '../../config/kinds/kinds.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

export const COLLAPSE = {
  ...NO_SETTINGS,
  route: {
    collapse: setting(
      z.union([
        flag,
        z.strictObject({
          headers: listOf(token).describe('Headers that must match for requests to be identical. All by default.'),
        }),
      ]),
      false,
      'Answers identical concurrent requests by one call to the upstream.',
    ),
  },
} as const

export type CollapseSettings = Values<typeof COLLAPSE.route>
