/** The mean of the event loop's lag was written `Nan` when there were no samples: strict parsers refused the whole page. */

import { execFile, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createMetrics } from '../../src/control/metrics/metrics.ts'
import { EMPTY } from '../control/samples.ts'
import { ask } from '../support/client.ts'
import { temporaryFolder } from '../support/folder.ts'
import { needs } from '../support/needs.ts'
import { PYTHON } from '../support/python.ts'
import { withSidecar } from '../support/sidecar.ts'

const run = promisify(execFile)
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0'

test('metrics: a value that is no number is written NaN', async () => {
  const metrics = createMetrics({ service: 's', version: '1' }, () => EMPTY, { wallNow: () => 0 })
  await metrics.scrape('')
  // Between two scrapes in one turn the event loop has no lag to measure.
  for (const accept of ['', OPEN_METRICS]) {
    const { body } = await metrics.scrape(accept)
    expect(body).toContain(' NaN\n')
    expect(body).not.toContain(' Nan\n')
  }
})

const hasParser = spawnSync(PYTHON, ['-c', 'import prometheus_client']).status === 0
needs('python3-prometheus-client', hasParser)

const PARSE = `
import sys
from prometheus_client import parser
from prometheus_client.openmetrics import parser as open_parser
text, open_text = (open(name).read() for name in sys.argv[1:])
for read, page in ((parser, text), (open_parser, open_text)):
    print(sum(len(family.samples) for family in read.text_string_to_metric_families(page)))
`

test.runIf(hasParser)(
  "metrics: Prometheus's own parsers for Python read both formats of a sidecar under traffic, exemplars included",
  { timeout: 30_000 },
  async (t) => {
    const { proxy, url } = await withSidecar(t, [{ status: 500 }, { status: 500 }, { body: 'x' }], {
      web: { retry: { attempts: 1 }, routes: [{ match: 'GET /a/{name}' }] },
    })
    for (const path of ['/', '/a/b', '/c']) await ask(`${url}${path}`)
    const folder = temporaryFolder(t)
    const pages = await Promise.all(
      ['', OPEN_METRICS].map(async (accept, i) => {
        const { body } = await ask(`${proxy.controlUrl}/metrics`, { headers: { accept } })
        const name = join(folder, String(i))
        writeFileSync(name, body)
        return name
      }),
    )
    const { stdout } = await run(PYTHON, ['-c', PARSE, ...pages])
    expect(pages.map((name) => readFileSync(name, 'utf8').includes('# {request_id='))).toEqual([false, true])
    for (const samples of stdout.trim().split('\n')) expect(Number(samples)).toBeGreaterThan(100)
  },
)
