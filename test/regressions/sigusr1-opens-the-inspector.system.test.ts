/** Node answers SIGUSR1 with an inspector on the loopback, where any process of the machine or pod may then run code. */

import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { freePort } from '../support/ports.ts'

const CONFIG =
  'listen: 127.0.0.1:0\ncontrol: { listen: 127.0.0.1:0 }\ncheckpoints: { store: "memory:" }\n' +
  'upstreams: { web: { url: "http://127.0.0.1:1" } }\n'

test('run: SIGUSR1 opens no inspector and the sidecar goes on serving', async (t) => {
  const port = await freePort()
  const running = breakwater(t, ['run', '--config', configFile(t, CONFIG)], { NODE_OPTIONS: `--inspect-port=${port}` })
  const control = await listensAt(running, 'control.listen')
  running.child.kill('SIGUSR1')
  expect((await ask(`${control}/readyz`)).status).toBe(200)
  await expect(ask(`http://127.0.0.1:${port}/json/list`)).rejects.toThrow('ECONNREFUSED')
  running.child.kill('SIGTERM')
  expect(await running.ended).toMatchObject({ code: 0, stderr: '' })
})
