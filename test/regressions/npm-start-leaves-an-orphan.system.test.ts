/**
 * npm and npx run a command in a shell and signal that shell alone. A supervisor that ended one of them used to leave
 * the sidecar behind, with its ports and its store.
 */

import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { configFile, listensAt, started } from '../support/command.ts'
import { until } from '../support/until.ts'

const CONFIG =
  'listen: 127.0.0.1:0\ncontrol: { listen: 127.0.0.1:0 }\ncheckpoints: { store: "memory:" }\n' +
  'upstreams: { web: { url: "http://127.0.0.1:1" } }\n'

/** Starts the process as a supervisor would. @returns it and the sidecar's addresses, once it serves. */
async function served(t: Parameters<typeof started>[0], command: readonly string[]) {
  const running = started(t, [...command, '--config', configFile(t, CONFIG)])
  const control = await listensAt(running, 'control.listen')
  return { running, addresses: [await listensAt(running, 'listen'), control] }
}

const refuses = (url: string) =>
  ask(url).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
  )

test('npm start: SIGTERM drains the sidecar and waits for its end', async (t) => {
  const { running, addresses } = await served(t, ['npm', 'start', '--'])
  running.child.kill('SIGTERM')
  const { code, stdout } = await running.ended
  expect([code, stdout]).toEqual([0, expect.stringMatching(/"msg":"draining"[\s\S]*"msg":"drained"/)])
  expect(await Promise.all(addresses.map(refuses))).toEqual([true, true])
})

test('npx breakwater run: SIGTERM drains the sidecar, which ends soon after npx', async (t) => {
  const { running, addresses } = await served(t, ['npx', 'breakwater', 'run'])
  running.child.kill('SIGTERM')
  await running.until(/"msg":"draining"[\s\S]*"msg":"drained"/)
  for (const address of addresses) await until(() => refuses(address))
  expect((await running.ended).signal).toBe('SIGTERM')
})
