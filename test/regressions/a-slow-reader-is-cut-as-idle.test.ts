/**
 * A client that read slowly but steadily was cut as idle: node reports `drain` only when the system has room for much at once,
 * which at 256 KB/s takes longer than an idle timeout of 3 s.
 */

import { createServer } from 'node:http'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ask } from '../support/client.ts'
import { listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'

const BYTES = 12 * 1024 * 1024

/** Reads so many bytes each 50 ms, for so long, then the rest at once. @returns the bytes of the body, and how it ended. */
function slowReader(port: number, bytesPerStep: number, steps: number): Promise<{ bytes: number; how: string }> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    })
    let bytes = 0
    let step = 0
    const timer = setInterval(() => {
      step += 1
      const chunk = socket.read(step > steps ? undefined : Math.min(bytesPerStep, socket.readableLength))
      bytes += chunk?.length ?? 0
      if (step > steps) {
        clearInterval(timer)
        socket.on('data', (more) => {
          bytes += more.length
        })
      }
    }, 50)
    socket.on('error', (error) => {
      clearInterval(timer)
      resolve({ bytes, how: error.message })
    })
    socket.on('end', () => resolve({ bytes, how: 'end' }))
  })
}

test('a client that reads 200 KB/s gets its body whole with an idle timeout of 2 s', async (t) => {
  const server = createServer((_, response) => response.end(Buffer.alloc(BYTES, 'x')))
  t.onTestFinished(() => void server.close())
  const port = await listening(server)
  const proxy = await startProxy(t, {
    clock: systemClock,
    upstreams: { web: { url: `http://127.0.0.1:${port}`, listen: '127.0.0.1:0', timeout: { idle: '2s' } } },
  })
  const { bytes, how } = await slowReader(Number(new URL(proxy.own('web')).port), 10_000, 100)
  expect(how).toBe('end')
  expect(bytes).toBeGreaterThan(BYTES)
})

/** The system of the reading side tells of room only when a sixteenth of its buffer is free: some 350 KB. */
test('an upstream that takes an upload at 400 KB/s is not cut with an idle timeout of 2 s', async (t) => {
  let taken = 0
  const server = createServer((request, response) => {
    let step = 0
    const timer = setInterval(() => {
      step += 1
      taken += request.read(step > 100 ? undefined : Math.min(20_000, request.readableLength))?.length ?? 0
      if (step > 100) {
        clearInterval(timer)
        request.on('data', (more) => {
          taken += more.length
        })
      }
    }, 50)
    request.on('close', () => clearInterval(timer))
    request.on('end', () => response.end('taken'))
  })
  t.onTestFinished(() => void server.close())
  const port = await listening(server)
  const proxy = await startProxy(t, {
    clock: systemClock,
    upstreams: {
      web: {
        url: `http://127.0.0.1:${port}`,
        listen: '127.0.0.1:0',
        timeout: { idle: '2s' },
        retry: { attempts: 1 },
      },
    },
  })
  const answer = await ask(proxy.own('web'), { method: 'POST', body: 'u'.repeat(BYTES) })
  expect([answer.status, answer.body.toString(), taken]).toEqual([200, 'taken', BYTES])
})
