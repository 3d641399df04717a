import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { IncidentView } from '../../src/dashboard/shapes.ts'
import { ask } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/until.ts'

test('incidents: one that began before a kill -9 goes on after it, and its log says the same', async (t) => {
  const file = configFile(
    t,
    `listen: 127.0.0.1:0
control: { listen: 127.0.0.1:0 }
checkpoints: { store: "file:${join(temporaryFolder(t), 'data')}" }
upstreams:
  web:
    url: http://127.0.0.1:${await freePort()}
    retry: { attempts: 1 }
    breaker: { consecutiveFailures: 2, openFor: 60s, openForMax: 10m, patience: 0ms }
`,
  )
  const first = breakwater(t, ['run', '--config', file])
  const url = await listensAt(first, 'listen')
  const told = async (control: string): Promise<IncidentView[]> =>
    JSON.parse((await ask(`${control}/v1/incidents`)).body.toString()).incidents
  for (const path of ['/a', '/b', '/c']) await ask(`${url}/web${path}`)
  const night = await listensAt(first, 'control.listen')
  const [before] = await told(night)
  expect(before).toMatchObject({ upstream: 'web', state: 'ongoing', causes: [{ cause: 'connect_refused', count: 2 }] })
  const isSaved = async () =>
    (await ask(`${night}/metrics`)).body.toString().includes('operation="saveHistory",outcome="done"')
  await until(isSaved)
  first.child.kill('SIGKILL')
  const { stdout } = await first.ended

  const second = breakwater(t, ['run', '--config', file])
  const control = await listensAt(second, 'control.listen')
  const [after] = await told(control)
  expect(after).toMatchObject({ id: before?.id, started_at: before?.started_at })
  expect(stdout).toContain(`"incident":"${before?.id}"`)
  const shown = await breakwater(t, ['incidents', before?.id ?? '', '--url', control]).ended
  expect(shown).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('connect_refused: Upstream refused the connection'),
  })
  const unknown = await breakwater(t, ['incidents', 'web-0', '--url', control]).ended
  expect(unknown).toMatchObject({ code: 1, stderr: 'breakwater: no such incident: web-0\n' })
})
