/** Talks: what a client does on one connection, drawn from a seed: valid or faulty requests, in pieces, and its end. */

import type { Chance } from './chance.ts'
import { patternOf } from './pattern.ts'
import type { Sent } from './registry.ts'

/** Features of the requests, each of which can be left out of a run. */
export const FEATURES = [
  'pipeline',
  'upgrade',
  'upgrade-with-body',
  'connect',
  'expect',
  'chunked',
  'mutate',
  'stall',
  'leave',
  'unread',
] as const
export type Feature = (typeof FEATURES)[number]

export type Step =
  | { readonly kind: 'write'; readonly bytes: Buffer }
  | { readonly kind: 'wait'; readonly ms: number }
  /** Waits until `count` final responses arrived, or the other side ended. */
  | { readonly kind: 'answers'; readonly count: number }
  | { readonly kind: 'unread'; readonly ms: number }
  | { readonly kind: 'end' | 'reset' | 'close' }

export type Talk = {
  readonly number: number
  readonly requests: readonly Sent[]
  readonly steps: readonly Step[]
  /** Every request is sound and whole, and the client stays: the sidecar must answer each or end the connection. */
  readonly isOwedAnswers: boolean
}

const UPSTREAMS = [
  'bare',
  'held',
  'shared',
  'hedged',
  'resumed',
  'several',
  'paced',
  'observed',
  'watched',
  'narrow',
  'spilling',
  'breaking',
  'mixed',
] as const
export { UPSTREAMS }

const METHODS = ['GET', 'GET', 'GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'QUERY']
const BODIES = [1, 30, 1_000, 5_000, 70_000, 200_000]

/** @param without features to leave out. */
export function talk(number: number, chance: Chance, without: ReadonlySet<Feature>): Talk {
  const may = (feature: Feature, probability: number) => chance.often(probability) && !without.has(feature)
  const isPipelined = may('pipeline', 0.4)
  const mutates = may('mutate', 0.25)
  const requests: Request[] = []
  const count = chance.between(1, isPipelined ? 5 : 3)
  const mutatedAt = mutates ? chance.between(0, count - 1) : count
  for (let n = 0; n < count; n += 1) {
    // Mutated requests have another letter: "t13r0" without one byte would be "t3r0" of another talk.
    const id = `${n < mutatedAt ? 't' : 'u'}${number}r${n}`
    requests.push(requestOf(id, chance, may, n === count - 1))
  }
  if (mutates) mutateFrom(mutatedAt, requests, chance)
  const steps = isPipelined
    ? pieces(Buffer.concat(requests.map(({ bytes }) => bytes)), chance)
    : inTurn(requests, chance)
  const end = may('leave', 0.2) ? chance.oneOf(['reset', 'close', 'end'] as const) : undefined
  const stalls = may('stall', 0.08)
  const unread: Step[] = may('unread', 0.15) ? [{ kind: 'unread', ms: chance.oneOf([50, 1_200]) }] : []
  const sent = requests.map((request) => request.sent)
  const patient: Step = { kind: 'answers', count: sent.length }
  if (stalls) {
    const kept = steps.slice(0, chance.between(1, steps.length))
    return {
      number,
      requests: cutShort(requests, kept),
      steps: [...kept, { kind: 'wait', ms: 1_500 }],
      isOwedAnswers: false,
    }
  }
  if (end !== undefined) {
    const kept = steps.slice(0, chance.between(1, steps.length))
    const wait: Step = { kind: 'wait', ms: chance.oneOf([0, 1, 10, 100]) }
    const after: Step[] = end === 'end' ? [patient] : []
    return {
      number,
      requests: cutShort(requests, kept),
      steps: [...unread, ...kept, wait, { kind: end }, ...after],
      isOwedAnswers: false,
    }
  }
  const isOwedAnswers = sent.every(({ isSound }) => isSound)
  return { number, requests: sent, steps: [...unread, ...steps, patient], isOwedAnswers }
}

/** Marks the requests that these steps do not write whole. */
function cutShort(requests: readonly Request[], kept: readonly Step[]): Sent[] {
  let left = kept.reduce((sum, step) => sum + (step.kind === 'write' ? step.bytes.length : 0), 0)
  return requests.map(({ sent, bytes }) => {
    left -= bytes.length
    return { ...sent, isWhole: left >= 0 }
  })
}

type Request = { readonly sent: Sent; readonly bytes: Buffer }
type May = (feature: Feature, probability: number) => boolean

function requestOf(ownId: string, chance: Chance, may: May, isLast: boolean): Request {
  const upstream = chance.oneOf(UPSTREAMS)
  const isAlike = chance.often(upstream === 'shared' || upstream === 'held' || upstream === 'mixed' ? 0.6 : 0)
  const id = isAlike ? `same${chance.between(0, 2)}` : ownId
  if (may('connect', 0.03)) return connectOf(ownId, upstream)
  const method = isAlike ? 'GET' : chance.oneOf(METHODS)
  const takesBody = /^(?:POST|PUT|PATCH|QUERY|DELETE)$/.test(method) && chance.often(0.8)
  const bodyBytes = takesBody ? chance.oneOf(BODIES) : 0
  // Only the last request offers an upgrade: the server would read a later one as bytes of the new protocol.
  const offersUpgrade = isLast && !isAlike && (takesBody ? may('upgrade-with-body', 0.1) : may('upgrade', 0.15))
  const lines = [
    `${method} /${upstream}/${upstream}/${id}${chance.oneOf(['', '?a=b', '/x%20y'])} HTTP/1.1`,
    'Host: sidecar',
  ]
  if (chance.often(0.1)) lines.push(`Range: bytes=${chance.oneOf([0, 1, 50, 4_999])}-`)
  if (chance.often(0.1)) lines.push(`X-Request-Timeout: ${chance.oneOf(['0.05', '0.3', '60', '1e3', '-1', ''])}`)
  if (chance.often(0.1)) lines.push(`Idempotency-Key: ${ownId}`)
  if (chance.often(0.05)) lines.push(`X-Pad: ${'x'.repeat(chance.oneOf([100, 8_000]))}`)
  if (offersUpgrade)
    lines.push(
      'Connection: Upgrade',
      `Upgrade: ${chance.oneOf(['websocket', 'TLS/1.2', 'h2c', 'a/1, b', 'websocket, TLS/1.2'])}`,
    )
  if (takesBody && may('expect', 0.1)) lines.push('Expect: 100-continue')
  const body = patternOf(id, 0, bodyBytes)
  const isChunked = takesBody && may('chunked', 0.4)
  if (isChunked) lines.push('Transfer-Encoding: chunked')
  else if (takesBody) lines.push(`Content-Length: ${bodyBytes}`)
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  const bytes = Buffer.concat([head, isChunked ? chunks(body, chance) : body])
  return { sent: { id, upstream, method, offersUpgrade, bodyBytes, isSound: true, isWhole: true }, bytes }
}

function connectOf(id: string, upstream: string): Request {
  const bytes = Buffer.from(`CONNECT ${upstream}:443 HTTP/1.1\r\nHost: ${upstream}:443\r\n\r\n`)
  return {
    sent: { id, upstream, method: 'CONNECT', offersUpgrade: false, bodyBytes: 0, isSound: true, isWhole: true },
    bytes,
  }
}

function chunks(body: Buffer, chance: Chance): Buffer {
  const all: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const piece = body.subarray(at, at + chance.oneOf([1, 700, 20_000]) + (body.length >> 5))
    all.push(
      Buffer.from(`${piece.length.toString(16)}${chance.often(0.1) ? ';a="b;c"' : ''}\r\n`),
      piece,
      Buffer.from('\r\n'),
    )
    at += piece.length
  }
  return Buffer.concat([...all, Buffer.from(`0\r\n${chance.often(0.2) ? 'X-Sum: 1\r\n' : ''}\r\n`)])
}

const HOSTILE = [
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Host: other\r\n',
  'Connection: host, content-length\r\n',
  'Expect: 200-ok\r\n',
  'X-Folded: a\r\n b\r\n',
  'X-Nul: \0\r\n',
  'Upgrade: websocket\r\nConnection: upgrade\r\n',
  'X-Lf: a\n',
  `X-Huge: ${'x'.repeat(70_000)}\r\n`,
  'X-A: b\r\n'.repeat(2_500),
]

/** Marks that request and all later ones as faulty: the sidecar may split the remaining bytes differently. */
function mutateFrom(at: number, requests: Request[], chance: Chance): void {
  const chosen = requests[at]
  if (chosen === undefined) return
  requests[at] = { ...chosen, bytes: mutated(chosen.bytes, chance) }
  for (let n = at; n < requests.length; n += 1) {
    const one = requests[n]
    if (one !== undefined) requests[n] = { ...one, sent: { ...one.sent, isSound: false } }
  }
}

function mutated(bytes: Buffer, chance: Chance): Buffer {
  const at = chance.between(0, Math.min(bytes.length, 400) - 1)
  const afterFirstLine = bytes.indexOf('\n') + 1
  switch (chance.oneOf(['flip', 'insert', 'delete', 'field', 'field', 'version', 'preface', 'target'] as const)) {
    case 'flip': {
      const copy = Buffer.from(bytes)
      copy[at] = chance.oneOf([0, 9, 10, 13, 32, 48, 58, 127, 200, 255])
      return copy
    }
    case 'insert':
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from(chance.oneOf(['\0', '\r', '\n', '\r\n\r\n', ' ', ':', '\xff'])),
        bytes.subarray(at),
      ])
    case 'delete':
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + chance.between(1, 20))])
    case 'field':
      return Buffer.concat([
        bytes.subarray(0, afterFirstLine),
        Buffer.from(chance.oneOf(HOSTILE), 'latin1'),
        bytes.subarray(afterFirstLine),
      ])
    case 'version':
      return Buffer.from(
        bytes.toString('latin1').replace('HTTP/1.1', chance.oneOf(['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'http/1.1'])),
        'latin1',
      )
    case 'preface':
      return Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), bytes])
    case 'target':
      return Buffer.from(
        bytes
          .toString('latin1')
          .replace(
            / \/\w+/,
            chance.oneOf([
              ' *',
              ' http://h/x',
              ' /../x',
              ' /nowhere',
              ' /\xc3\xa9',
              ' /%00',
              ` /${'a'.repeat(20_000)}`,
            ]),
          ),
        'latin1',
      )
  }
}

/** Splits the bytes into writes of random size, some with a wait between them. */
function pieces(bytes: Buffer, chance: Chance): Step[] {
  const cuts = chance.often(0.5)
    ? []
    : Array.from({ length: chance.between(1, 6) }, () => chance.between(1, bytes.length))
  const steps: Step[] = []
  let from = 0
  for (const to of [...cuts.sort((a, b) => a - b), bytes.length]) {
    if (to > from) steps.push({ kind: 'write', bytes: bytes.subarray(from, to) })
    if (chance.often(0.7)) steps.push({ kind: 'wait', ms: chance.oneOf([0, 1, 5, 30]) })
    from = to
  }
  return steps
}

/** Sends each request after the response to the one before. */
function inTurn(requests: readonly Request[], chance: Chance): Step[] {
  return requests.flatMap(({ bytes }, n): Step[] => [{ kind: 'answers', count: n }, ...pieces(bytes, chance)])
}
