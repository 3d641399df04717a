import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { needs } from '../support/needs.ts'
import { hasHttpx, PYTHON } from '../support/python.ts'
import { sidecarBefore, suiteScope } from './between.ts'
import { echoUpstream } from './echo.ts'
import { hasPython, run } from './programs.ts'

const hasRequests = hasPython('requests')
const hasAiohttp = hasPython('aiohttp')
needs('python3-httpx', hasHttpx)
needs('python3-requests', hasRequests)
needs('python3-aiohttp', hasAiohttp)

const CLIENTS = [
  ['http.client', true, 1],
  ['urllib', true, undefined],
  ['requests', hasRequests, 1],
  ['httpx', hasHttpx, 1],
  ['httpx async', hasHttpx, 1],
  ['aiohttp', hasAiohttp, 1],
] as const

describe('a client of Python is answered as without the sidecar', () => {
  const suite = suiteScope()
  let origin: string
  let url: string
  beforeAll(async () => {
    origin = await echoUpstream(suite)
    url = (await sidecarBefore(suite, origin)).url
  })

  for (const [name, isThere, connections] of CLIENTS) {
    test.runIf(isThere)(name, async () => {
      const script = join(import.meta.dirname, 'python_clients.py')
      const told = async (base: string) => JSON.parse((await run(PYTHON, [script, base, name])).stdout)
      const [direct, through] = await Promise.all([told(origin), told(url)])
      expect(through).toEqual(direct)
      expect(through.length).toBeGreaterThan(8)
      if (connections !== undefined) expect(through).toContainEqual(expect.objectContaining({ connections }))
    })
  }
})
