/** Checks that a sidecar without clients holds no state of theirs, and still answers. */

import { setTimeout } from 'node:timers/promises'
import { ask } from '../support/client.ts'
import type { RunningSidecar } from './sidecar.ts'

/** Longer than the sum of all timeouts in the configuration. */
const PATIENCE_MS = 10_000

const GAUGES = [
  'requests_in_flight',
  'requests_queued',
  'polls_held',
  'connections',
  'client_connections',
  'endpoint_requests_in_flight',
]

type Shown = {
  readonly name: string
  readonly in_flight: number
  readonly queued: number
  readonly held: number
  readonly connections: number
  readonly breakers: readonly { readonly probes_in_flight: number }[]
  readonly endpoints: readonly { readonly in_flight: number }[]
}

/** @returns the findings, after waiting up to PATIENCE_MS for the sidecar to settle. */
export async function unsettled(sidecar: RunningSidecar, upstreams: readonly string[]): Promise<string[]> {
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    const ending = sidecar.ending()
    if (ending !== undefined) return [ending]
    const left = await Promise.race([leftIn(sidecar), nothingAfter(5_000)])
    if (left.length === 0) return [...(await faultsOf(sidecar)), ...(await unserved(sidecar, upstreams))]
    if (performance.now() > until) return left
    await setTimeout(50)
  }
}

const nothingAfter = async (ms: number) => {
  await setTimeout(ms)
  return ['the control listener does not answer']
}

async function leftIn(sidecar: RunningSidecar): Promise<string[]> {
  const control = `http://127.0.0.1:${sidecar.controlPort}`
  const metrics = (await ask(`${control}/metrics`)).body.toString()
  const counted = GAUGES.flatMap((gauge) =>
    [...metrics.matchAll(new RegExp(`^breakwater_${gauge}\\{.*\\} [^0].*$`, 'gm'))].map(([line]) => line),
  ).filter((line) => !line.includes('listener="control'))
  const { upstreams }: { upstreams: Shown[] } = JSON.parse((await ask(`${control}/v1/upstreams`)).body.toString())
  const held = upstreams.flatMap(({ name, in_flight, queued, held, connections, breakers, endpoints }) => {
    const probes = breakers.reduce((sum, { probes_in_flight }) => sum + probes_in_flight, 0)
    const atEndpoints = endpoints.reduce((sum, endpoint) => sum + endpoint.in_flight, 0)
    const all = { in_flight, queued, held, connections, probes, atEndpoints }
    return Object.values(all).some((count) => count !== 0) ? [`${name} holds ${JSON.stringify(all)}`] : []
  })
  const spilled = sidecar.openFiles().filter((file) => file.startsWith(sidecar.temporaryFolder))
  return [...counted, ...held, ...spilled.map((file) => `an open file: ${file}`)]
}

/** Internal faults of the sidecar: there may be none. */
async function faultsOf({ controlPort, faults }: RunningSidecar): Promise<string[]> {
  const metrics = (await ask(`http://127.0.0.1:${controlPort}/metrics`)).body.toString()
  return [...metrics.matchAll(/^breakwater_faults_total\{.*\} [^0].*$/gm)].map(([line]) =>
    [line, ...faults()].join('\n  '),
  )
}

async function unserved({ port, ending }: RunningSidecar, upstreams: readonly string[]): Promise<string[]> {
  const until = performance.now() + PATIENCE_MS
  const wrong = await Promise.all(
    upstreams.map(async (name) => {
      for (;;) {
        const answer = await ask(`http://127.0.0.1:${port}/${name}/${name}/plain-${name}`).catch((error: unknown) =>
          String(error),
        )
        if (typeof answer === 'object' && answer.status === 200 && answer.body.toString() === 'ok') return []
        const what = typeof answer === 'string' ? answer : `${answer.status} ${answer.body}`
        if (performance.now() > until || ending() !== undefined)
          return [`a plain request to ${name}: ${what} ${ending() ?? ''}`]
        await setTimeout(50)
      }
    }),
  )
  return wrong.flat()
}
