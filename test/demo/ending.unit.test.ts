import { expect, test } from 'vitest'
import { ending } from '../../src/demo/ending.ts'
import { scaleFor } from '../../src/demo/pace.ts'
import type { ToldIncident } from '../../src/demo/incidents.ts'
import type { Result } from '../../src/demo/story.ts'

const RESULT: Result = {
  videos: 40,
  finished: 22,
  errors: new Map([
    ['download: HTTP 503', 6],
    ['transcription: HTTP 503', 12],
  ]),
  calls: { search: 1, downloader: 2, transcriber: 3 },
  struggling: 90,
  restarts: 4,
  breakerOpened: 0,
  incidents: [],
  seconds: 30,
  lateS: 0.1,
}
const INCIDENT: ToldIncident = {
  kind: 'upstream',
  upstream: 'audio-transcriber',
  summary: 'audio-transcriber is down: 31 × 503.',
  causes: [
    { cause: '503', count: 31, text: 'HTTP 503 from the upstream', example: null },
    { cause: 'reset', count: 2, text: 'Upstream closed the connection before it answered', example: null },
  ],
  cost: { requests: 90, failed: 1, refused: 4, retried: 30, saved: 17, jobs: [], jobs_total: 0, open_s: 2 },
  fromS: 61.4,
  toS: 322,
  openS: 40,
  page: 'http://127.0.0.1:1/#/incidents/audio-transcriber-1',
}
const SIDECAR: Result = {
  ...RESULT,
  finished: 40,
  errors: new Map(),
  struggling: 12,
  restarts: 1,
  breakerOpened: 3,
  incidents: [INCIDENT],
}

test('demo: its end tells what broke, what each side lost, and where the page shows it', () => {
  const told = ending(RESULT, SIDECAR, 'http://127.0.0.1:1/')
  expect(told).toContain(
    'audio-transcriber, from 61 s to 322 s: 31 × HTTP 503 from the upstream, 2 × Upstream closed the connection before it answered. Of its 90 requests 1 failed, 4 were refused and 17 were saved by a retry; a breaker was open for 40 s.\n    http://127.0.0.1:1/#/incidents/audio-transcriber-1\n',
  )
  expect(told).toContain('Directly, 18 of 40 videos were lost: 12 at transcription: HTTP 503, 6 at download: HTTP 503.')
  expect(told).toContain('Through breakwater, all 40 videos were finished. Its breakers opened 3 times')
  expect(told).toContain('finished 18 more videos')
  expect(told).toContain('http://127.0.0.1:1/')
})

test('demo: without incidents it says so; an incident without a page has no link', () => {
  expect(ending(RESULT, { ...SIDECAR, incidents: [] }, '')).toContain('What broke: nothing that the sidecar took')
  expect(ending(RESULT, SIDECAR, '')).not.toContain('http:')
})

test('demo: on a machine that is too busy it says that it cannot judge', () => {
  const told = ending(RESULT, { ...SIDECAR, finished: 19, lateS: 1.4 }, '')
  expect(told).toContain('This run cannot judge: the machine is so busy that timers came 1.4 s of the services late')
  expect(told).not.toContain('fewer')
})

test('demo: where a quiet machine finished fewer videos, it says so', () => {
  expect(ending(RESULT, { ...SIDECAR, finished: 19 }, '')).toContain('3 fewer videos')
})

test.each([
  [0, 0, 1 / 20],
  [6, 0.5, 1 / 20],
  [10, 0.5, 1 / 10],
  [24, 0, 1 / 5],
  [500, 0, 1 / 5],
  [0, 1, 1 / 10],
  [0, 2, 1 / 5],
])('demo: with timers %d ms late and a load of %d a second lasts %d s', (lateMs, load, scale) => {
  expect(scaleFor(lateMs, load)).toBe(scale)
})
