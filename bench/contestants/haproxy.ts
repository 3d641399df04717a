import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findTool } from '../machine/tools.ts'
import type { Contestant } from './contestant.ts'

const program = findTool('haproxy')

/** HAProxy with its own retries and circuit breaking (`observe layer7`) switched on. */
export const haproxy: Contestant = {
  letter: 'd',
  name: 'HAProxy',
  absence: program === undefined ? 'HAProxy is not installed' : undefined,
  prepare: ({ port, originPort, folder }) => {
    const file = join(folder, `haproxy-${port}.cfg`)
    writeFileSync(file, configuration(port, originPort))
    return { file: program ?? 'haproxy', args: ['-db', '-f', file] }
  },
}

const configuration = (port: number, originPort: number) => `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  retries 3
  retry-on conn-failure empty-response response-timeout 502 503 504
listen proxy
  bind 127.0.0.1:${port}
  http-reuse always
  server origin 127.0.0.1:${originPort} check observe layer7 error-limit 5 on-error mark-down
`
