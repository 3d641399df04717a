import { expect, test } from 'vitest'
import { ask, problemOf } from '../../support/client.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { temporaryFolder } from '../../support/folder.ts'
import { startProxy } from '../../support/proxy.ts'
import { scriptedUpstream } from '../../support/scripted-upstream.ts'

const json = (value: object) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) })

test('jobs: a learned job keeps its deadline and its end over a restart', async (t) => {
  const clock = fakeClock()
  const store = `file:${temporaryFolder(t)}`
  const upstream = await scriptedUpstream(t, clock, [
    json({ id: 1 }),
    json({ id: 2 }),
    json({ status: 'completed' }),
    json({ status: 'completed' }),
  ])
  const start = () =>
    startProxy(t, {
      clock,
      top: { checkpoints: { store } },
      upstreams: {
        web: {
          url: upstream.origin,
          listen: '127.0.0.1:0',
          routes: [
            { match: 'POST /jobs', creates: { id: { json: '/id' }, deadline: '60s' } },
            { match: 'GET /jobs/{id}', job: 'id', failureWhen: { json: '/status', in: ['failed'] } },
          ],
        },
      },
    })
  const listed = async (proxy: Awaited<ReturnType<typeof start>>) =>
    JSON.parse((await ask(`${proxy.controlUrl}/v1/jobs`)).body.toString()).jobs
  const before = await start()
  await ask(`${before.own('web')}/jobs`, { method: 'POST', body: '{}' })
  await ask(`${before.own('web')}/jobs`, { method: 'POST', body: '{}' })
  await ask(`${before.own('web')}/jobs/1`)
  await before.logged(({ msg }) => msg === 'job ended')
  await before.app.close()

  await clock.advance(50_000)
  const after = await start()
  expect(
    (await listed(after)).toSorted((a: { job_id: string }, b: { job_id: string }) => (a.job_id < b.job_id ? -1 : 1)),
  ).toMatchObject([
    { job_id: 'web:1', life: { state: 'completed', route: 'POST /jobs', id: '1' } },
    { job_id: 'web:2', time_left_s: 10, life: { state: 'running', polls: 0 } },
  ])
  await clock.advance(10_000)
  expect(await after.logged(({ msg }) => msg === 'job ended')).toMatchObject({
    job: '2',
    outcome: 'deadline',
    duration_ms: 60_000,
  })
  expect(problemOf(await ask(`${after.own('web')}/jobs/2`)).type).toBe('urn:breakwater:job_deadline')
  expect((await ask(`${after.own('web')}/jobs/1`)).status).toBe(200)
})
