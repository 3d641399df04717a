import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeScript } from '../machine/scripts.ts'
import type { Contestant, Place } from './contestant.ts'

export type Ports = {
  readonly control: number
  /** A port without a listener: the upstream whose breaker is open. */
  readonly dead: number
  /** Ports of a listener that reloads open, close and move. */
  readonly moving: readonly [number, number]
}

/** How the content of the file is replaced. */
export type Way = 'in place' | 'rename' | 'symlink swap'

/** The configuration file of a sidecar that reloads. At first it is a symlink, as in a mounted Kubernetes ConfigMap. */
export class ReloadedFile {
  readonly path: string
  readonly #folder: string
  #swaps = 0

  constructor(folder: string) {
    this.#folder = join(folder, 'reloaded')
    this.path = join(this.#folder, 'proxy.yaml')
    mkdirSync(this.#folder)
  }

  begin(text: string): void {
    this.change('symlink swap', text)
    symlinkSync('..data/proxy.yaml', this.path)
  }

  change(way: Way, text: string): void {
    if (way === 'in place') return writeFileSync(this.path, text)
    if (way === 'rename') {
      writeFileSync(`${this.path}.new`, text)
      return renameSync(`${this.path}.new`, this.path)
    }
    this.#swaps += 1
    const at = (n: number) => join(this.#folder, `..${n}`)
    mkdirSync(at(this.#swaps))
    writeFileSync(join(at(this.#swaps), 'proxy.yaml'), text)
    symlinkSync(`..${this.#swaps}`, join(this.#folder, '..data_tmp'))
    renameSync(join(this.#folder, '..data_tmp'), join(this.#folder, '..data'))
    rmSync(at(this.#swaps - 1), { recursive: true, force: true })
  }
}

/** @param pauses file to which the sidecar writes the longest pauses of its event loop on SIGUSR2 (loop-delay.ts). */
export const reloadingBreakwater = (file: ReloadedFile, ports: Ports, pauses: string): Contestant => ({
  letter: 'e',
  name: 'Breakwater, reloading',
  absence: undefined,
  prepare: (place) => {
    file.begin(reloadedText(place, ports, 0))
    const program = new URL('../../bin/breakwater.js', import.meta.url).href
    const { file: node, args } = nodeScript(program, 'run', '--config', file.path)
    const preload = `${new URL('../machine/loop-delay.ts', import.meta.url).href}?to=${encodeURIComponent(pauses)}`
    return { file: node, args: ['--max-semi-space-size=4', '--import', preload, ...args] }
  },
})

/** A configuration that gives a reload work to do: changed settings, a dead upstream, and an upstream that is new in each `n`. */
export const reloadedText = ({ port, originPort }: Omit<Place, 'folder'>, ports: Ports, n: number) => `version: 1
listen: 127.0.0.1:${port}
control: { listen: '127.0.0.1:${ports.control}' }
checkpoints: { store: 'memory:' }
log: { access: false }
defaults:
  connections: { max: ${64 + (n % 2)} }
  breaker: { openFor: 1h, openForMax: 1h }
upstreams:
  origin: { url: 'http://127.0.0.1:${originPort}' }
  dead: { url: 'http://127.0.0.1:${ports.dead}', retry: { attempts: 1 } }
  new-${n}:
    url: http://127.0.0.1:${originPort}
    listen: ${n % 3 === 0 ? 'false' : `127.0.0.1:${ports.moving[n % 2]}`}
  downloader:
    url: http://127.0.0.1:${originPort}
    rate: { requests: ${90 + (n % 2)}, per: 60s }
    routes:
      - match: POST /jobs
        idempotent: true
        collapse: true
      - match: GET /jobs/{id}
        failureWhen: { json: /status, in: [failed, error], oncePer: id }
      - match: GET /jobs/{id}/download
        resume: true
        timeout: { attempt: 25s, total: 28s }
`

/** `text` with a fault: an unknown key, or a syntax error. */
export const faultyText = (text: string, n: number) =>
  n % 4 < 2 ? `${text}servce: wrong-${n}\n` : `${text}  bad-${n}: { url: [\n`
