import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { redisOrNone } from '../../src/checkpoint/place.ts'
import { connectionOf } from '../../src/checkpoint/redis/connection.ts'
import { listening } from '../support/ports.ts'

test('Redis: the reset after the alert of a TLS server is heard, too', async (t) => {
  const server = createServer((socket) => socket.on('error', () => socket.destroy()))
  const port = await listening(server)
  t.onTestFinished(() => void server.close())
  const target = redisOrNone(`redis://127.0.0.1:${port}/0`)
  if (target === undefined || target === false) throw new Error('no place of a Redis')
  const redis = connectionOf(target, { ca: '', cert: '', key: '', servername: '' }, [])
  const heard: string[] = []
  redis.on('error', ({ message }: Error) => heard.push(message))
  const connected = once(redis, 'connect')
  redis.connect().catch(() => {})
  await connected
  const { stream } = redis as { readonly stream: NodeJS.EventEmitter }
  stream.emit('error', new Error('alert certificate required'))
  stream.emit('error', new Error('read ECONNRESET'))
  expect(heard).toEqual(['alert certificate required'])
  redis.disconnect()
})
