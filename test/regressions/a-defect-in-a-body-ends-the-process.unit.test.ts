import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { type BodySource, KeptBody } from '../../src/proxy/body/body.ts'

const KIB = 1024
const LIMITS = { memory: KIB, disk: KIB }

function bodyOf(told: unknown[], own: Partial<BodySource>) {
  const stream = new PassThrough()
  const source: BodySource = {
    stream,
    declaredBytes: undefined,
    isRepeatable: true,
    onStart: () => {},
    onUnkept: () => {},
    onFault: (error) => told.push(error),
    ...own,
  }
  const total = { memory: 0, disk: 0, limits: () => ({ memory: 64 * KIB, disk: 64 * KIB }) }
  const spill = () => Promise.reject(new Error('no disk'))
  return { stream, total, body: new KeptBody(source, LIMITS, total, spill) }
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
  const { stream, body, total } = bodyOf(told, { onUnkept })
  const reader = body.open().resume()
  stream.write(Buffer.alloc(bytes))
  const [error] = await once(reader, 'error')
  expect([told, error.cause]).toEqual([[defect], defect])
  body.dispose()
  expect([total.memory, total.disk]).toEqual([0, 0])
})
