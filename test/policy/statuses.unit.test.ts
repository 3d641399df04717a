import { expect, test } from 'vitest'
import { statusesIn } from '../../src/policy/shared/statuses.ts'

test('statuses: a class has its hundred, and 5xx the invalid ones above', () => {
  const statuses = statusesIn(['4xx', '5xx', 301])
  expect([301, 400, 499, 500, 599, 600, 999].filter((status) => statuses.has(status))).toHaveLength(7)
  expect([300, 302, 399, 1000].some((status) => statuses.has(status))).toBe(false)
})
