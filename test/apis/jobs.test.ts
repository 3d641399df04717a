/** Each job API with its example file: created, held, failed, retried, downloaded, cancelled. `docs/apis.md` has the results as a table. */

import { expect, test } from 'vitest'
import { type Answer as Told, ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { CLOUD_APIS } from './cloud-apis.ts'
import { exampleSidecar, stored } from './example.ts'
import { type Call, callOf, type JobApi } from './job-api.ts'
import { jobServer, type Script } from './job-server.ts'
import { SELF_HOSTED_APIS } from './self-hosted-apis.ts'

const APIS: readonly (readonly [name: string, api: JobApi])[] = Object.entries({ ...CLOUD_APIS, ...SELF_HOSTED_APIS })

/** Those of the APIs that have a part, with the part. */
const having = <K extends 'links' | 'download' | 'cancel'>(key: K) =>
  APIS.flatMap(([name, api]) => {
    const part = api[key]
    return part === undefined ? [] : [[name, api, part] as const]
  })

const RATED = new Set(['downloader', 'stability'])

/** The sidecar of the example, before a server that plays the script for all of its upstreams. */
async function exampleOf(t: Scope, api: JobApi, script: Script) {
  const clock = fakeClock()
  const server = await jobServer(t, script)
  const env = Object.fromEntries(Object.values(api.variables).map((name) => [name, server.origin]))
  const proxy = await exampleSidecar(t, clock, api.name, env)
  await stored(clock)
  // An upstream with a rate lets nothing through at once until a window has passed.
  if (RATED.has(api.upstream)) await clock.advance(60_000)
  // In the meantime the store was swept.
  await stored(clock)
  const call = ({ method, path, headers = {}, body }: Call, upstream = api.upstream) =>
    ask(`${proxy.own(upstream)}${path}`, { method, headers, ...(body === undefined ? {} : { body }) })
  const create = async () => {
    const answer = await call(api.create)
    await stored(clock)
    return answer
  }
  const life = async () => {
    const { jobs } = JSON.parse((await ask(`${proxy.controlUrl}/v1/jobs`)).body.toString())
    return jobs.at(0)?.life
  }
  const ended = () => proxy.logged(({ msg }) => msg === 'job ended')
  return { clock, server, proxy, call, create, life, ended }
}

type Example = Awaited<ReturnType<typeof exampleOf>>

const scriptOf = ({ create, poll }: JobApi, polls: Script[string]): Script => ({
  [callOf(create)]: [create.answer],
  [callOf(poll)]: polls,
})

/** Polls once; the sidecar polls on while `pending` answers come. A client that the sidecar cannot hold polls that often itself. */
async function outcome({ clock, server, call }: Example, { poll }: JobApi, pending: number): Promise<Told> {
  if (poll.everyMs === false) {
    for (let n = 0; n < pending; n += 1) await call(poll)
    return call(poll)
  }
  const answer = call(poll)
  for (let n = 1; n <= pending; n += 1) {
    await server.arrived(callOf(poll), n)
    await clock.elapse(poll.everyMs)
  }
  return answer
}

test.for(APIS)('%s: a job is learned from its creation, and its poll is held until it is done', async ([, api], t) => {
  const { create, poll, id } = api
  const all = await exampleOf(t, api, scriptOf(api, [poll.pending, poll.pending, poll.done]))
  expect((await all.create()).status).toBeLessThan(300)
  expect(await all.life()).toMatchObject({ id, state: 'running', polls: 0 })
  expect((await outcome(all, api, 2)).status).toBe(200)
  expect(await all.ended()).toMatchObject({ job: id, outcome: 'completed' })
  expect(all.server.arrivals.map(({ call }) => call)).toEqual([callOf(create), ...Array(3).fill(callOf(poll))])
})

test.for(APIS)('%s: a failed job is seen, and told to the client as it came', async ([, api], t) => {
  const { poll, upstream, failedStatus } = api
  const all = await exampleOf(t, api, scriptOf(api, [poll.pending, poll.failed]))
  await all.create()
  const answer = await outcome(all, api, 1)
  const told = typeof poll.failed === 'function' ? poll.failed(all.server.origin) : poll.failed
  expect(answer.status).toBe((typeof told === 'object' && 'status' in told && told.status) || 200)
  expect(await all.ended()).toMatchObject({ outcome: 'failed', statuses: expect.arrayContaining([failedStatus]) })
  const seen = [...(await all.proxy.metrics())].filter(([name, value]) => name.includes('jobs_seen_total') && value > 0)
  expect(seen).toEqual([[expect.stringContaining(`upstream="${upstream}"`), 1]])
  expect(seen[0]?.[0]).toContain('outcome="failed"')
})

test.for(APIS)('%s: a poll is repeated over a 503 and a dropped connection', async ([, api], t) => {
  const { poll } = api
  const all = await exampleOf(t, api, scriptOf(api, ['reset', { status: 503, body: 'busy' }, poll.done]))
  await all.create()
  const answer = all.call(poll)
  // The connection that drops is one that had been used before: the call is made anew at once. After the 503 there is a back-off.
  await all.server.arrived(callOf(poll), 2)
  await all.clock.elapse(poll.backoffMs ?? 2_000)
  expect((await answer).status).toBe(200)
  expect((await answer).headers['x-breakwater-attempts']).toBe('2')
  expect(all.server.arrivals).toHaveLength(4)
})

test.for(having('links'))('%s: the URLs of the new job lead to the sidecar', async ([, api, links], t) => {
  const all = await exampleOf(t, api, scriptOf(api, [api.poll.done]))
  const { headers, body } = await all.create()
  const urls = links({ headers, body: body.toString() })
  for (const url of urls) expect(url.startsWith(`${all.proxy.own(api.upstream)}/`), url).toBe(true)
  expect(await all.life()).toMatchObject({ id: api.id })
})

test.for(having('download'))('%s: a download that breaks off is resumed', async ([, api, download], t) => {
  const file = Buffer.from('0123456789'.repeat(20_000))
  const call = callOf(download)
  const all = await exampleOf(t, api, { ...scriptOf(api, [api.poll.done]), [call]: [{ file }] })
  const answer = all.call(download, download.upstream)
  await all.server.arrived(call, 1)
  await all.clock.elapse(api.poll.backoffMs ?? 2_000)
  expect((await answer).body.equals(file)).toBe(true)
  expect((await all.server.arrived(call, 2)).headers).toMatchObject({ 'if-range': '"5f3a-1"' })
})

test.for(having('cancel'))('%s: a cancelled job ends as cancelled', async ([, api, cancel], t) => {
  const polls = cancel.polled === undefined ? [api.poll.pending] : [cancel.polled]
  // A DELETE may have the path of the poll.
  const all = await exampleOf(t, api, { ...scriptOf(api, polls), [callOf(cancel)]: [cancel.answer] })
  await all.create()
  expect((await all.call(cancel)).status).toBeLessThan(300)
  if (cancel.polled !== undefined) await all.call(api.poll)
  expect(await all.ended()).toMatchObject({ outcome: 'cancelled' })
})
