/** The pictures in docs/images, which are drawn from runs of the policies. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { pictures } from '../../docs/print-timelines.ts'
import { draw } from '../../docs/timelines/draw.ts'
import { record } from '../../docs/timelines/record.ts'
import { SCENES } from '../../docs/timelines/scenes.ts'
import { BODY_BYTES, BROKEN_AFTER, DONE, ITEMS } from '../../docs/timelines/told.ts'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'

const docs = join(import.meta.dirname, '../../docs')
const pages = readdirSync(join(docs, 'policies')).filter((name) => name !== 'README.md')

test('every picture in docs/images is up to date', async () => {
  const drawn = await pictures()
  expect(readdirSync(join(docs, 'images')).filter((name) => drawn.has(name))).toEqual([...drawn.keys()].sort())
  for (const [name, text] of drawn) expect(readFileSync(join(docs, 'images', name), 'utf8'), name).toBe(text)
})

test('every picture is on a page of docs/policies, and every page has one', async () => {
  const shown = pages.flatMap((name) =>
    [...readFileSync(join(docs, 'policies', name), 'utf8').matchAll(/\]\(\.\.\/images\/([\w-]+\.svg)\)/g)].map(
      ([, image = '']) => ({ name, image }),
    ),
  )
  expect(shown.map(({ image }) => image).sort()).toEqual([...(await pictures()).keys()].sort())
  expect(new Set(shown.map(({ name }) => name))).toEqual(new Set(pages))
})

test('a scene is drawn the same each time, and differently with another setting', async () => {
  const { retries } = SCENES
  if (retries === undefined) throw new Error('no such scene')
  const first = draw(await record(retries))
  expect(draw(await record(retries))).toBe(first)
  const sooner = { ...retries, upstream: { retry: { backoff: { initial: '1s' } } } }
  expect(draw(await record(sooner))).not.toBe(first)
})

test('resume behaves as its picture shows', async (t) => {
  const clock = fakeClock()
  const whole = 'abcdefghij'
  const upstream = await scriptedUpstream(t, clock, [
    (_, response) => {
      response.writeHead(200, { 'content-length': BODY_BYTES, etag: '"1"', 'accept-ranges': 'bytes' })
      response.write(whole.slice(0, BROKEN_AFTER), () => response.destroy())
    },
    {
      status: 206,
      headers: {
        etag: '"1"',
        'content-range': `bytes ${BROKEN_AFTER}-${BODY_BYTES - 1}/${BODY_BYTES}`,
        'content-length': String(BODY_BYTES - BROKEN_AFTER),
      },
      body: whole.slice(BROKEN_AFTER),
    },
  ])
  const routes = [{ match: 'GET /file', resume: true }]
  const proxy = await startProxy(t, { clock, upstreams: { web: { url: upstream.origin, routes } } })
  const answer = ask(`${proxy.url}/web/file`)
  await clock.elapse(2_000)
  expect((await answer).body.toString()).toBe(whole)
  expect(upstream.arrivals[1]?.headers.range).toBe(`bytes=${BROKEN_AFTER}-`)
})

test('checkpoints behave as their picture shows', async (t) => {
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { web: { url: 'http://127.0.0.1:1' } } })
  const items = Array.from({ length: ITEMS }, (_, i) => `item-${i}`)
  const post = (path: string, body: object) =>
    fetch(`${proxy.controlUrl}/v1/checkpoints/job-1/${path}`, { method: 'POST', body: JSON.stringify(body) })
  for (const id of items.slice(0, DONE))
    await post('items', { stage: 'downloading_shorts', item_ids: [id], total_items: ITEMS })
  expect(await (await post('remaining', { items })).json()).toMatchObject({ remaining: items.slice(DONE) })
})
