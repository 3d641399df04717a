/** Time lines that no clock measures: along a body's bytes, and along a job's items. test/docs/timelines.test.ts plays them. */

import type { Timeline } from './draw.ts'

export const BODY_BYTES = 10
export const BROKEN_AFTER = 6
export const RESUME: Timeline = {
  title: 'resume: true: a download of 10 bytes breaks off after the sixth',
  unit: 'bytes',
  until: BODY_BYTES,
  rows: [
    { label: 'client', spans: [{ from: 0, to: BODY_BYTES, kind: 'good', text: '200, one body' }] },
    {
      label: 'calls to web',
      spans: [{ from: 0, to: BROKEN_AFTER, kind: 'bad', text: '200, then the connection is lost' }],
    },
    {
      label: 'calls to web',
      spans: [{ from: BROKEN_AFTER, to: BODY_BYTES, kind: 'good', text: `206, Range: bytes=${BROKEN_AFTER}-` }],
    },
  ],
}

export const ITEMS = 50
export const DONE = 45
export const CHECKPOINTS: Timeline = {
  title: 'checkpoints: the worker is killed at item 45 of 50',
  unit: 'items',
  until: ITEMS,
  rows: [
    {
      label: 'first run',
      spans: [{ from: 0, to: DONE, kind: 'good', text: 'POST …/items after each one: on disk when it answers' }],
    },
    {
      label: 'second run',
      spans: [
        { from: 0, to: DONE, kind: 'wait', text: 'POST …/remaining: the other five' },
        { from: DONE, to: ITEMS, kind: 'good', text: 'done' },
      ],
    },
    { label: 'without them', spans: [{ from: 0, to: ITEMS, kind: 'bad', text: 'all of it again' }] },
  ],
}
