import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findTool } from '../machine/tools.ts'
import type { Contestant, Place } from './contestant.ts'

const program = findTool('haproxy')

type Resilience = { readonly defaults: string; readonly server: string }

const proxy = (resilience: Resilience): Contestant => ({
  letter: 'd',
  name: 'HAProxy',
  absence: program === undefined ? 'HAProxy is not installed' : undefined,
  prepare: (place) => {
    const file = join(place.folder, `haproxy-${place.port}.cfg`)
    writeFileSync(file, configuration(place, resilience))
    return { file: program ?? 'haproxy', args: ['-db', '-f', file] }
  },
})

const configuration = ({ port, originPort }: Place, { defaults, server }: Resilience) => `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  ${defaults}
listen proxy
  bind 127.0.0.1:${port}
  http-reuse always
  server origin 127.0.0.1:${originPort} ${server}
`

/** HAProxy with its own retries and circuit breaking (`observe layer7`) switched on. */
export const haproxy = proxy({
  defaults: `retries 3
  retry-on conn-failure empty-response response-timeout 502 503 504`,
  server: 'check observe layer7 error-limit 5 on-error mark-down',
})

/** HAProxy that relays and nothing else: faults of the origin take nothing out of service. */
export const plainHaproxy = proxy({ defaults: 'retries 0', server: '' })
