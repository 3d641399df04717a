import { expect, test } from 'vitest'
import { BodyStream } from '../../src/http2/body-stream.ts'
import type { OutgoingBody } from '../../src/http1/client-connection.ts'

/** A body whose receiver the test feeds. */
function fed() {
  const calls: string[] = []
  let receiver: Parameters<OutgoingBody['open']>[0] | undefined
  const body: OutgoingBody = {
    open: (opened) => {
      receiver = opened
      return { resume: () => void calls.push('resume'), stop: () => void calls.push('stop') }
    },
  }
  return {
    body,
    calls,
    give: (bytes: number) => receiver?.data(Buffer.alloc(bytes)),
    breakOff: (error: Error) => receiver?.fail(error),
  }
}

test('body stream: a reader that takes nothing holds its source back, and lets it go on when it reads', () => {
  const { body, calls, give } = fed()
  const stream = new BodyStream(body, () => {})
  expect(give(1)).toBe(undefined)
  stream.read(0)
  expect([give(1_000), give(100_000), give(1)]).toEqual([true, false, false])
  expect(stream.readableLength).toBe(101_001)
  while (stream.read() !== null);
  expect([calls, stream.readableLength]).toEqual([['resume'], 0])
  stream.destroy()
  expect(give(1)).toBe(false)
})

test('body stream: a body that breaks off destroys the stream and stops the source', async () => {
  const { body, calls, breakOff } = fed()
  const stream = new BodyStream(body, () => {})
  stream.read(0)
  const failed = new Promise<Error>((resolve) => stream.once('error', resolve))
  breakOff(new Error('gone'))
  expect(await failed).toMatchObject({ code: 'ERR_REQUEST_BODY_BROKE' })
  expect(calls).toEqual(['stop'])
})
