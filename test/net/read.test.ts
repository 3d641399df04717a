import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { readShared } from '../../src/net/read.ts'

/** Both ends of a connection. */
async function connected(): Promise<{ readonly near: Socket; readonly far: Socket; readonly close: () => void }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const far = connect(address.port, '127.0.0.1')
  const [near]: Socket[] = await once(server, 'connection')
  if (near === undefined) throw new Error('no connection')
  return { near, far, close: () => [near.destroy(), far.destroy(), server.close()] }
}

const turnOf = (socket: Socket, event: string) => once(socket, event)

test('readShared: two sockets are read into the same memory, on either side of a connection', async () => {
  const { near, far, close } = await connected()
  const read: Buffer[] = []
  const both = new Promise<void>((resolve) => {
    const take = (bytes: Buffer) => {
      read.push(bytes)
      if (read.length === 2) resolve()
    }
    readShared(near, take)
    readShared(far, take)
  })
  near.write('to far')
  far.write('to near')
  await both
  expect(new Set(read.map(({ buffer }) => buffer)).size).toBe(1)
  close()
})

test('readShared: pausing stops it, the end is an event, and what follows its end is a stream', async () => {
  const { near, far, close } = await connected()
  const read: string[] = []
  const first = new Promise<void>((resolve) => {
    const stop = readShared(near, (bytes) => {
      read.push(bytes.toString())
      stop()
      near.pause()
      resolve()
    })
  })
  far.write('head')
  await first
  far.end('tunnel')
  const chunks: string[] = []
  near.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
  const ended = turnOf(near, 'end')
  near.resume()
  await ended
  expect([read, chunks]).toEqual([['head'], ['tunnel']])
  close()
})

test('readShared: large reads are not overwritten by later ones', async () => {
  const { near, far, close } = await connected()
  const sent = Buffer.alloc(2 ** 20, 'abcdefghijklmnopqrstuvwxyz012345')
  const kept: Buffer[] = []
  let bytes = 0
  const whole = new Promise<void>((resolve) => {
    readShared(near, (read, isOwn) => {
      kept.push(isOwn ? read : Buffer.from(read))
      bytes += read.length
      if (bytes === sent.length) resolve()
    })
  })
  far.write(sent)
  await whole
  expect(Buffer.concat(kept).equals(sent)).toBe(true)
  close()
})
