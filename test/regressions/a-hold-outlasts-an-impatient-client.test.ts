import { expect, test } from 'vitest'
import { ask, openRaw } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'

/** RunPod's SDK leaves a status call after three seconds: each held poll was an error for it, for ever. */
test('hold: a client that leaves after 3 s is answered before, from its third poll on', async (t) => {
  const pending = { headers: { 'content-type': 'application/json' }, body: '{"status":"IN_QUEUE"}' }
  const hold = { json: '/status', in: ['IN_QUEUE'], upTo: '20s', every: '2s' }
  const { clock, proxy, port, url, upstream } = await withSidecar(t, [pending], {
    web: { routes: [{ match: 'GET /status/{id}', hold }] },
    path: '/status/1',
  })
  const leave = async (leaves: number) => {
    const calls = upstream.arrivals.length
    const raw = openRaw(port)
    raw.send(`GET /status/1 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: sdk\r\n\r\n`)
    await upstream.arrival(calls + 1)
    await clock.elapse(2_000)
    await upstream.arrival(calls + 2)
    await clock.advance(1_000)
    raw.socket.destroy()
    await expect
      .poll(() => proxy.log.filter(({ reason }) => reason === 'client_gone').length, { interval: 5 })
      .toBe(leaves)
  }
  await leave(1)
  await leave(2)
  expect(await proxy.logged(({ msg }) => msg === 'hold outlasts client')).toMatchObject({
    level: 'warn',
    rule: 'hold-outlasts-client',
    upstream: 'web',
    route: 'GET /status/{id}',
    client: 'sdk',
    patience_ms: 3_000,
    held_ms: 2_700,
    setting: 'hold.upTo',
    fix: 'upTo: 2.7s, or clients that wait longer',
  })
  const upstreams = JSON.parse((await ask(`${proxy.controlUrl}/v1/upstreams`)).body.toString()).upstreams
  expect(upstreams[0].impatient).toMatchObject([{ route: 'GET /status/{id}', client: 'sdk', held_ms: 2_700 }])

  const third = ask(url, { headers: { 'user-agent': 'sdk' } })
  await upstream.arrival(5)
  await clock.elapse(2_000)
  await upstream.arrival(6)
  await clock.elapse(700)
  expect((await third).body.toString()).toBe('{"status":"IN_QUEUE"}')

  const patient = ask(url, { headers: { 'user-agent': 'another' } })
  await clock.armed(20_000)
  await clock.advance(20_000)
  expect((await patient).status).toBe(200)
  expect(proxy.log.filter(({ msg }) => msg === 'hold outlasts client')).toHaveLength(1)
})
