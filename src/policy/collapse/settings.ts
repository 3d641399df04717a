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
        z.strictObject({ headers: listOf(token).describe('headers that must be alike, too; all when not said') }),
      ]),
      false,
      'identical concurrent requests become one',
    ),
  },
} as const

export type CollapseSettings = Values<typeof COLLAPSE.route>
