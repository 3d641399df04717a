import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { Webhook } from '../../src/control/incidents/webhook.ts'
import type { Event } from '../../src/events.ts'
import { Incidents } from '../../src/incidents/fold.ts'
import { viewOf } from '../../src/incidents/view.ts'
import { ask } from '../support/client.ts'
import { LONG_OPEN } from '../support/breaker.ts'
import { EPOCH_MS, fakeClock } from '../support/fake-clock.ts'
import { listening } from '../support/ports.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'
import { until } from '../support/until.ts'

type Message = { readonly text: string; readonly event: string; readonly incident: { readonly id: string } }

/** A webhook that answers with these statuses, the last one from then on. */
async function webhook(t: Scope, ...statuses: number[]) {
  const messages: Message[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (piece) => {
      body += piece
    })
    request.on('end', () => {
      messages.push(JSON.parse(body))
      response.writeHead((statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 200).end('ok')
    })
  })
  t.onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${await listening(server)}/services/SECRET`, messages }
}

const web = { retry: { attempts: 1 }, breaker: { ...LONG_OPEN, consecutiveFailures: 1, openFor: '2s' } }

test('webhook: is told when an incident opens and closes, again where it failed, and nobody waits for it', async (t) => {
  const { url: hook, messages } = await webhook(t, 500, 200)
  const scenes = [{ status: 500 }, {}]
  const { clock, proxy, url } = await withSidecar(t, scenes, { web, random: () => 0, top: { notify: { url: hook } } })
  expect((await ask(`${url}/a`)).status).toBe(500)
  await clock.elapse(1_000)
  await until(async () => messages.length === 2)
  expect(messages[1]).toEqual(messages[0])
  expect(messages[0]).toMatchObject({ event: 'opened', incident: { upstream: 'web', state: 'ongoing' } })
  expect(messages[0]?.text).toMatch(
    /^test: web is down \(the breaker opened after failures in a row, the last: 500\)\. .*docs\/runbook\.md#breakwaterbreakeropen/,
  )
  await clock.advance(2_000)
  expect((await ask(`${url}/a`)).status).toBe(200)
  await clock.advance(31_000)
  await until(async () => messages.length === 3)
  expect(messages[2]).toMatchObject({ event: 'closed', incident: { id: messages[0]?.incident.id, state: 'ended' } })
  expect(messages[2]?.text).toMatch(/^test: over after 3 s\. web was down/)
  await until(async () => (await proxy.sample('notifications', { outcome: 'delivered' })) === 2)
  const told = proxy.log.filter(({ msg }) => msg?.startsWith('incident'))
  expect(told).toMatchObject([
    { level: 'warn', msg: 'incident opened', about: 'upstream', upstream: 'web' },
    { level: 'info', msg: 'incident closed', failed: 1, refused: 0, duration_ms: 3_000 },
  ])
  const config = await (await fetch(`${proxy.controlUrl}/v1/config`)).text()
  expect(JSON.stringify(proxy.log) + config).not.toContain('SECRET')
})

test('webhook: one that refuses a message gets it once, and the log says so without its address', async (t) => {
  const { url: hook, messages } = await webhook(t, 404)
  const notify = { url: hook, on: ['opened'] }
  const { proxy, url } = await withSidecar(t, [{ status: 500 }], { web, top: { notify } })
  await ask(`${url}/a`)
  const line = await proxy.logged(({ msg }) => msg === 'notification not delivered')
  expect(line).toMatchObject({ level: 'warn', outcome: 'failed', err: { message: 'the webhook answered 404' } })
  expect(messages).toHaveLength(1)
  expect(JSON.stringify(proxy.log)).not.toContain('SECRET')
})

/** A webhook by itself, and an incident whose text has what Slack takes for a mention. */
function alone(hook: string) {
  const events: Event[] = []
  const clock = fakeClock()
  const settings = { url: hook, on: ['opened'] as const, timeout: 5_000 }
  const incidents = new Incidents()
  incidents.take({ kind: 'store', at: EPOCH_MS, isUp: false, why: 'no <!channel> & none' })
  const [incident] = incidents.all
  if (incident === undefined) throw new Error('there is no incident')
  const sink = new Webhook(settings, 'test', clock, (event) => events.push(event))
  return { sink, settings, clock, events, view: viewOf(incident, EPOCH_MS) }
}

test('webhook: nothing in its text mentions anybody', async (t) => {
  const { url: hook, messages } = await webhook(t, 200)
  const { sink, view, events } = alone(hook)
  sink.tell('opened', view)
  await until(async () => events.length === 1)
  expect(events).toEqual([{ kind: 'notification', outcome: 'delivered', error: undefined }])
  expect(messages[0]?.text).toContain('no &lt;!channel&gt; &amp; none')
})

test.each(['turned off', 'closed'])('webhook: what waits when it is %s is dropped, and told so', async (how) => {
  const { sink, settings, view, events, clock } = alone('http://127.0.0.1:1/services/SECRET')
  sink.tell('opened', view)
  sink.tell('opened', view)
  await clock.armed(1_000)
  if (how === 'closed') sink.close()
  else sink.set({ ...settings, url: '' })
  const dropped = { kind: 'notification', outcome: 'dropped', error: undefined }
  expect(events).toEqual([dropped, dropped])
  expect(clock.pending()).toEqual([])
})
