import { expect, test } from 'vitest'
import { type BodySource, type IncomingBody, KeptBody } from '../../src/proxy/body/body.ts'

const KIB = 1024
const LIMITS = { memory: KIB, disk: KIB }

function bodyOf(told: unknown[], own: Partial<BodySource>) {
  let deliver = (_chunk: Buffer) => {}
  const incoming: IncomingBody = {
    read: ({ data }) => {
      deliver = data
    },
    pause: () => {},
    resume: () => {},
    drop: () => {},
  }
  const source: BodySource = {
    incoming,
    declaredBytes: undefined,
    isRepeatable: true,
    onStart: () => {},
    onUnkept: () => {},
    onFault: (error) => told.push(error),
    ...own,
  }
  const total = { memory: 0, disk: 0, limits: () => ({ memory: 64 * KIB, disk: 64 * KIB }) }
  const spill = () => Promise.reject(new Error('no disk'))
  return { deliver: (chunk: Buffer) => deliver(chunk), total, body: new KeptBody(source, LIMITS, total, spill) }
}

const DEFECTS = [
  { name: 'while a chunk is kept', bytes: 3 * KIB },
  { name: 'while the disk is written', bytes: KIB + 1 },
]

test.for(DEFECTS)('kept body: an error thrown $name breaks off that body and is reported once', async ({ bytes }) => {
  const told: unknown[] = []
  const defect = new Error('a defect, on purpose')
  const onUnkept = () => {
    throw defect
  }
  const { deliver, body, total } = bodyOf(told, { onUnkept })
  const error = await new Promise<Error>((resolve) => {
    body.open({ data: () => true, end: () => {}, fail: resolve })
    deliver(Buffer.alloc(bytes))
  })
  expect([told, error.cause]).toEqual([[defect], defect])
  body.dispose()
  expect([total.memory, total.disk]).toEqual([0, 0])
})
