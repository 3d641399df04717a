import { expect, test } from 'vitest'
import { ask, openRaw } from '../support/client.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

/** Responses whose end is sent when the test says so: by then the client has all of their bodies. */
function endingLate(...texts: readonly string[]) {
  const ends: (() => void)[] = []
  const scenes = texts.map(
    (text): Scene =>
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.write(text)
        ends.push(() => response.end())
      },
  )
  return { ends, scenes }
}

test.for([
  ['plain', {}],
  ['resumed', { resume: true }],
  ['collapsed', { collapse: true }],
  ['rewritten', { rewrite: { json: ['/url'] } }],
] as const)(
  'request line: has the job and its end where the end of a body comes apart from it (%s)',
  async ([, settings], t) => {
    const { ends, scenes } = endingLate('{"id":7}', '{"status":"completed"}')
    const routes = [
      { match: 'POST /jobs', creates: { id: { json: '/id' } } },
      { match: 'GET /jobs/{id}', job: 'id', completedWhen: { json: '/status', in: ['completed'] }, ...settings },
    ]
    const { proxy, upstream, port } = await withSidecar(t, scenes, { web: { routes } })
    for (const [i, line] of ['POST /jobs', 'GET /jobs/7'].entries()) {
      const client = openRaw(port)
      client.send(`${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
      await upstream.begun(i + 1)
      if (!('rewrite' in settings) || i === 0) await client.until(/\}/)
      ends[i]?.()
      await client.ended
    }
    expect(await proxy.logged(({ msg }) => msg === 'job ended')).toMatchObject({
      job: '7',
      outcome: 'completed',
      polls: 1,
    })
    const lines = proxy.log.filter(({ msg }) => msg === 'request')
    expect(lines).toMatchObject([{ job_id: '7' }, { job_id: '7', job: 'completed' }])
    const [job] = JSON.parse((await ask(`${proxy.controlUrl}/v1/jobs`)).body.toString()).jobs
    expect(job.life).toMatchObject({ attempts: 2 })
  },
)
