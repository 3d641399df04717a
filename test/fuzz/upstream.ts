/** Upstream that draws its answer from the id of the call: valid, faulty, slow, partial or none. */

import { createServer, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { listening } from '../support/ports.ts'
import { type Received, readRequests } from './call-reader.ts'
import type { Chance } from './chance.ts'
import { faultyMessage, headOf, type Message, type Question, soundMessage } from './messages.ts'
import { patternOf } from './pattern.ts'
import type { Registry } from './registry.ts'

export type MutatingUpstream = {
  readonly port: number
  readonly connections: () => number
  readonly close: () => Promise<void>
}

/** Ids of the plain requests after a round, which always get a valid response. */
const PLAIN_ID = /^plain/

const FATES = [
  'whole',
  'whole',
  'whole',
  'drip',
  'stall',
  'end',
  'reset',
  'more',
  'again',
  'flip',
  'early',
  'nothing',
  'interim',
  'flood',
] as const
type Fate = (typeof FATES)[number]

/** The fate that exercises the policy of an upstream most. */
const FAVOURED: Readonly<Record<string, Fate>> = { held: 'stall', resumed: 'end', hedged: 'drip', observed: 'drip' }

/** The chance and the registry of the present round. */
export type Place = { readonly chance: Chance; readonly registry: Registry }

export async function mutatingUpstream(place: Place): Promise<MutatingUpstream> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    // Each waiting write adds a listener.
    socket.setMaxListeners(0)
    socket.on('error', () => socket.destroy())
    socket.on('end', () => socket.end())
    socket.on('close', () => sockets.delete(socket))
    let before: Promise<unknown> = Promise.resolve()
    readRequests(
      socket,
      (received) => {
        const { isTunnel, run } = planFor(socket, received, place)
        before = before.then(run)
        return isTunnel ? 'tunnel' : 'goes on'
      },
      (what) => place.registry.report(`the upstream was sent ${what}`),
    )
  })
  const port = await listening(server)
  return {
    port,
    connections: () => sockets.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** Draws how a call is answered, from its id and the number of earlier calls with that id. */
function planFor(socket: Socket, { target, method, fields, whole }: Received, { chance, registry }: Place) {
  const [, upstream = '', id = ''] = /^\/(\w+)\/([\w-]+)/.exec(target) ?? []
  const question: Question = { id, upstream, method, fields }
  if (PLAIN_ID.test(id)) return { isTunnel: false, run: async () => void socket.write(plainAnswer(question)) }
  compareBody(id, whole, registry)
  const own = chance.fork(`${id} ${registry.callsOf(id)}`)
  if (fields.has('upgrade') && own.often(0.6)) {
    registry.tell(id, '101')
    return { isTunnel: true, run: () => tunnel(socket, question, own) }
  }
  const message = own.often(0.15) ? faultyMessage(question, own) : soundMessage(question, own, chance)
  const fate = fateOf(upstream, message, own)
  registry.tell(id, `${message.name}, ${fate}`)
  const run = async () => {
    if (fate !== 'early') await Promise.race([whole, ended(socket)])
    await deliver(socket, message, fate, own)
  }
  return { isTunnel: false, run }
}

const plainAnswer = ({ id, method }: Question) =>
  Buffer.concat([headOf(200, [`x-echo: ${id}`, 'content-length: 2']), Buffer.from(method === 'HEAD' ? '' : 'ok')])

/** Replaces fates that cannot be detected in a body without a length: only a reset shows that it was cut. */
function fateOf(upstream: string, { endsWithConnection }: Message, chance: Chance): Fate {
  const favoured = chance.often(0.3) ? FAVOURED[upstream] : undefined
  const fate = favoured ?? (chance.often(0.35) ? 'whole' : chance.oneOf(FATES))
  if (!endsWithConnection) return fate
  return fate === 'end' ? 'reset' : fate === 'more' || fate === 'again' ? 'whole' : fate
}

/** Reports a sound request whose body arrives whole but changed. */
function compareBody(id: string, whole: Promise<Buffer>, registry: Registry): void {
  const sent = registry.find(id)
  if (sent === undefined || !sent.isSound) return
  void whole.then((body) => {
    if (!body.equals(patternOf(id, 0, sent.bodyBytes)))
      registry.report(
        `the body of ${id} (${sent.bodyBytes} bytes) reached the upstream as another one (${body.length} bytes)`,
      )
  })
}

async function tunnel(socket: Socket, { id, fields }: Question, chance: Chance): Promise<void> {
  const protocol = chance.often(0.9) ? (fields.get('upgrade') ?? '').split(',')[0] : 'other'
  socket.write(headOf(101, [`x-echo: ${id}`, 'connection: upgrade', `upgrade: ${protocol}`]))
  socket.write(patternOf(id, 0, chance.oneOf([0, 10, 100_000])))
  socket.on('data', (bytes) => void socket.write(bytes))
  await setTimeout(chance.between(0, 300))
  if (chance.often(0.3)) socket.end()
  else if (chance.often(0.4)) socket.resetAndDestroy()
}

async function deliver(socket: Socket, message: Message, fate: Fate, chance: Chance): Promise<void> {
  const bytes = Buffer.concat([message.head, message.body])
  const whole = message.head.length
  const some = bytes.subarray(
    0,
    chance.between(chance.often(0.7) ? Math.min(whole, bytes.length - 1) : 0, bytes.length - 1),
  )
  const finish = () => (message.endsWithConnection ? void socket.end() : undefined)
  switch (fate) {
    case 'whole':
    case 'early':
      await put(socket, bytes)
      return finish()
    case 'drip':
      await drip(socket, bytes, chance)
      return finish()
    case 'stall':
      await put(socket, some)
      return ended(socket)
    case 'end':
      await put(socket, some)
      return void socket.end()
    case 'reset':
      await put(socket, some)
      await setTimeout(chance.oneOf([0, 1, 20]))
      return void socket.resetAndDestroy()
    case 'more':
      return put(socket, Buffer.concat([bytes, Buffer.from('\0more than was announced')]))
    case 'again':
      return put(
        socket,
        Buffer.concat([bytes, headOf(200, ['x-echo: nobody', 'content-length: 3']), Buffer.from('bad')]),
      )
    case 'flip':
      await put(socket, flipped(message, chance))
      return finish()
    case 'nothing':
      return ended(socket)
    case 'interim':
      for (let n = chance.between(1, 5); n > 0; n -= 1)
        await put(socket, headOf(chance.oneOf([100, 102, 103]), chance.often(0.5) ? ['link: </a>; rel=preload'] : []))
      await put(socket, bytes)
      return finish()
    case 'flood':
      await flood(socket, chance)
      await put(socket, bytes)
      return finish()
    default:
      return fate satisfies never
  }
}

/** Changes one byte of the head. Removes the x- fields with id and length, which might no longer be true. */
function flipped({ head, body }: Message, chance: Chance): Buffer {
  const text = head.toString('latin1').replace(/x-(?:echo|length|pattern|from): .*\r\n/g, '')
  const bytes = Buffer.from(text, 'latin1')
  bytes[chance.between(0, bytes.length - 1)] = chance.oneOf([0, 9, 10, 13, 32, 48, 57, 58, 65, 127, 255])
  return Buffer.concat([bytes, body])
}

/** Sends interim responses as fast as the sidecar reads them, for up to 1.5 s: longer than the attempt timeout. */
async function flood(socket: Socket, chance: Chance): Promise<void> {
  const one = headOf(103, [`link: <${'x'.repeat(chance.oneOf([10, 8_000]))}>`])
  const some = Buffer.concat(Array.from({ length: 20 }, () => one))
  const until = performance.now() + chance.oneOf([50, 1_500])
  while (performance.now() < until && !socket.destroyed) {
    await put(socket, some)
    await setTimeout(0)
  }
}

async function drip(socket: Socket, bytes: Buffer, chance: Chance): Promise<void> {
  const pieces = chance.between(2, 8)
  for (let n = 0; n < pieces; n += 1) {
    const from = Math.floor((bytes.length * n) / pieces)
    await put(socket, bytes.subarray(from, Math.floor((bytes.length * (n + 1)) / pieces)))
    await setTimeout(chance.between(0, 40))
  }
}

async function put(socket: Socket, bytes: Buffer): Promise<void> {
  if (socket.destroyed || socket.writableEnded || socket.write(bytes)) return
  await Promise.race([new Promise<void>((resolve) => socket.once('drain', resolve)), ended(socket)])
}

const ended = (socket: Socket) =>
  socket.destroyed ? Promise.resolve() : new Promise<void>((resolve) => socket.once('close', () => resolve()))
