/** Compares what the sidecar's connection to an upstream, undici and node:http make of the same bytes on a real connection. */

import type { Chance } from '../../fuzz/chance.ts'
import { isDroppedTrailer, STRICTER } from '../compare.ts'
import { responseStream } from '../generated.ts'
import { nodeClient, sidecarClient, type Told, undiciClient } from './clients.ts'
import type { OneRun } from './socket-run.ts'
import { type Exchanged, type Play, PlayedServer } from './played-server.ts'

/** Where the sidecar takes what another client refuses, by the other's error, and why it does. */
const LENIENT: readonly { readonly error: RegExp; readonly reason: string }[] = [
  {
    error: /SocketError: bad response$/,
    reason: 'RFC 9110 section 15.2: a client takes a 100 that it did not ask for',
  },
  {
    error: /HPE_CLOSED_CONNECTION|Data after `Connection: close`/,
    reason: 'RFC 9112 section 9.6: close in an interim response is about the final one; llhttp ends there',
  },
]

/** Where the sidecar alone refuses, beside the allow-list of the codec. */
const STRICTER_ON_SOCKETS: Readonly<Record<string, string>> = {
  'malformed: a 101 to a request that asked for no other protocol': 'RFC 9110 section 15.2.2',
}

/** Requests of one scenario. */
const MOST_PLAYS = 4

export class ResponseOracles {
  readonly #ours = new PlayedServer()
  readonly #undici = new PlayedServer()
  readonly #node = new PlayedServer()

  async listen(): Promise<void> {
    for (const server of [this.#ours, this.#undici, this.#node]) await server.listen()
  }

  close(): void {
    for (const server of [this.#ours, this.#undici, this.#node]) server.close()
  }

  async compare(chance: Chance): Promise<OneRun> {
    const plays = Array.from({ length: chance.between(1, MOST_PLAYS) }, () => playOf(chance))
    const [ours, undici, node] = await Promise.all([
      this.#ours.play(sidecarClient(this.#ours.port), plays, true),
      this.#undici.play(undiciClient(this.#undici.port), plays, false),
      this.#node.play(nodeClient(this.#node.port), plays, false),
    ])
    const defects: string[] = []
    const stricter: string[] = []
    let agreed = 0
    for (const [index, play] of plays.entries()) {
      const seen = ours[index]
      const others = [undici[index], node[index]].filter((one) => one !== undefined)
      if (seen === undefined || others.length < 2) continue
      const found = defectOf(seen, others, play) || reuseDefect(index, plays, ours, [undici, node])
      if (found !== '') defects.push(`play ${index}: ${found}: ${shown(play, seen, others)}`)
      if (seen.ending === 'failed' && others.some(({ ending }) => ending !== 'failed')) stricter.push(seen.error)
      if (seen.ending !== 'failed' && others.some(({ ending }) => ending === seen.ending)) agreed += 1
    }
    return { defects, agreed, stricter }
  }
}

function playOf(chance: Chance): Play {
  const upgrade = chance.often(0.05) ? 'websocket' : ''
  const method = upgrade === '' ? chance.oneOf(['GET', 'GET', 'GET', 'POST', 'HEAD', 'OPTIONS']) : 'GET'
  const then = chance.oneOf(['stays', 'stays', 'stays', 'ends', 'resets', 'ends at once'] as const)
  const { bytes, cuts } = responseStream(chance, [method, 'GET', 'GET'], chance.often(0.9) ? 1 : 3)
  const end = chance.often(0.15) ? chance.between(0, bytes.length) : bytes.length
  return { method, upgrade, then, bytes: bytes.subarray(0, end), cuts: cuts.filter((cut) => cut < end) }
}

function defectOf(ours: Exchanged, others: readonly Exchanged[], play: Play): string {
  if (ours.isHung) return 'hangs'
  if (ours.connection < 0) return `a request got no connection: ${ours.error}`
  if (ours.error.startsWith('a defect')) return ours.error
  for (const other of others) {
    const defect = differs(ours, other)
    if (defect !== '') return defect
  }
  if (ours.ending === 'failed') return unexplained(ours, others, play)
  if (others.some(({ ending }) => ending === ours.ending)) return ''
  const isExplained = others.some(
    (other) => failedBehind(ours, other) || LENIENT.some(({ error }) => error.test(other.error)),
  )
  const errors = others.map(({ error, ending }) => error || ending).join(' | ')
  return isExplained ? '' : `takes what both others refuse: ${errors}`
}

/** The other client had all of the response, and refused it for the bytes behind it. */
const failedBehind = (ours: Told, other: Told) => other.status === ours.status && other.body === ours.body

function unexplained(ours: Told, others: readonly Told[], play: Play): string {
  if (others.every(({ ending }) => ending === 'failed')) return ''
  // An end by a reset is no end of a body (RFC 9112 section 8).
  if (play.then === 'resets' && /^(?:reset|incomplete)/.test(ours.error)) return ''
  const isKnown = STRICTER[ours.error] !== undefined || STRICTER_ON_SOCKETS[ours.error] !== undefined
  return isKnown ? '' : `refuses alone, without a reason in STRICTER: ${ours.error}`
}

/** How two clients differ on a message that both have taken, or on the part of it that both have seen. */
function differs(ours: Told, other: Told): string {
  if (ours.status === '' || other.status === '') return ''
  if (ours.status !== other.status) return `reads another status: ${ours.status}, not ${other.status}`
  if (ours.headers.join('\n') !== trimmed(other.headers)) return 'reads other fields'
  const isCut = ours.ending === 'failed' || other.ending === 'failed'
  if (isCut) return ours.body.startsWith(other.body) || other.body.startsWith(ours.body) ? '' : 'reads another body'
  if (ours.body !== other.body) return 'reads another body'
  if (ours.interim.join() !== other.interim.join()) return 'reads other interim responses'
  const kept = other.trailers.filter((_, i) => !isDroppedTrailer(other.trailers[i - (i % 2)] ?? ''))
  return ours.trailers.join('\n') === trimmed(kept) ? '' : 'reads other trailers'
}

/** undici leaves the white space behind a value, which is no part of it (RFC 9112 section 5). */
const trimmed = (fields: readonly string[]) => fields.map((text) => text.replace(/[\t ]+$/, '')).join('\n')

/** The sidecar sends a request on the connection of the one before it, where both others open a new one. */
function reuseDefect(
  index: number,
  plays: readonly Play[],
  ours: readonly Exchanged[],
  others: readonly (readonly Exchanged[])[],
): string {
  // A response to HEAD ends with its head (RFC 9112 section 6.3). llhttp looks for the end of a body, and closes without a length.
  if (plays[index - 1]?.method === 'HEAD') return ''
  const isKept = (all: readonly Exchanged[]) => index > 0 && all[index]?.connection === all[index - 1]?.connection
  // After an exchange that another client refused, its next connection is new, whatever the sidecar does.
  const judges = others.filter((all) => all[index - 1]?.ending === 'whole')
  return isKept(ours) && judges.length > 0 && !judges.some(isKept) ? 'keeps a connection that the others close' : ''
}

const shown = (play: Play, ours: Told, others: readonly Told[]) =>
  JSON.stringify({ ...play, bytes: play.bytes.toString('latin1'), cuts: play.cuts.length, ours, others })
