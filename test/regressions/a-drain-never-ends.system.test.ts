/** A drain waited for every response and tunnel without a limit: one open stream kept the process running for ever. */

import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { openRaw } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { type Scene, scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const stream: Scene = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write('data: first\n\n')
}
const tunnel: Scene = ({ socket }) =>
  void socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello')

test.for([
  ['a stream', stream, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n', /first/],
  ['a tunnel', tunnel, 'GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n', /hello/],
] as const)('drain: %s is cut after the time of `shutdown`, and counted', async ([, scene, request, sign], t) => {
  const { clock, proxy, port } = await withSidecar(t, [scene], { top: { shutdown: '9s' } })
  const client = openRaw(port)
  client.send(request)
  await client.until(sign)
  const drained = proxy.app.drain()
  await clock.elapse(1_000)
  await clock.elapse(9_000)
  await drained
  expect(await client.ended).toMatch(/end|reset/)
  expect(await proxy.logged(({ msg }) => msg === 'drained')).toMatchObject({ level: 'warn', cut: 1 })
})

test('drain: a process whose stream is cut exits with code 0', async (t) => {
  const upstream = await scriptedUpstream(t, systemClock, [stream])
  const config = {
    listen: '127.0.0.1:0',
    control: { listen: '127.0.0.1:0' },
    checkpoints: { store: 'memory:' },
    shutdown: '0ms',
    upstreams: { web: { url: upstream.origin } },
  }
  const command = breakwater(t, ['run', '--config', configFile(t, JSON.stringify(config))])
  const client = openRaw(Number(new URL(await listensAt(command, 'listen')).port))
  await listensAt(command, 'control.listen')
  client.send('GET /web/ HTTP/1.1\r\nhost: x\r\n\r\n')
  await client.until(/first/)
  command.child.kill('SIGTERM')
  expect(await command.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('"cut":1') })
})
