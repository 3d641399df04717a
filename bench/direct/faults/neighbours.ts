import type { RequestListener } from 'node:http'
import { answer, answerAfter, byPath, inPieces } from '../answers.ts'
import type { Call } from '../client.ts'
import type { Clock } from '../clock.ts'
import type { Fault } from '../fault.ts'
import { atOnce, offer, offerUncounted, together } from '../traffic.ts'

/** A route that fares badly, beside calls of other routes. */
const besides: readonly {
  readonly name: string
  readonly call: Call
  readonly listener: (clock: Clock) => RequestListener
  /** Status that the route's own client waits for. A route without one has no client that could fare worse. */
  readonly good?: number
  readonly onWire?: true
}[] = [
  {
    name: 'early 413',
    // The upstream answers after the first piece, and the client reads that before it sends the next.
    call: { method: 'POST', path: '/bad', body: { bytes: 1_000_000, pieces: 20, every: 0.1 } },
    listener: () => (_request, response) => answer(response, 413, { connection: 'close' }),
    good: 413,
    onWire: true,
  },
  {
    name: 'response heads of 17 KB',
    call: { path: '/bad' },
    listener: () => (_request, response) => answer(response, 200, { 'x-large': 'x'.repeat(17_000) }),
    good: 200,
    onWire: true,
  },
  {
    name: 'unasked 100 Continue',
    call: { path: '/bad' },
    listener: () => (_request, response) => {
      response.writeContinue()
      answer(response)
    },
    good: 200,
    onWire: true,
  },
  {
    name: 'broken route, 500',
    call: { path: '/bad' },
    listener: () => (_request, response) => answer(response, 500),
  },
]

const PATH = '/good'

const besideRow = ({ name, call, listener, onWire }: (typeof besides)[number]): Fault => ({
  ...(onWire && { onWire }),
  name: `${name}, beside healthy calls`,
  client: 'GET, 5/s, beside 10/s to the bad route',
  answers: byPath((clock) => ({ '/bad': listener(clock) })),
  play: together(
    offer({ perSecond: 5, seconds: 15 }, { path: PATH }),
    offerUncounted({ perSecond: 10, seconds: 15 }, call),
  ),
})

const ownRow = ({ name, call, listener, good, onWire }: (typeof besides)[number]): Fault => ({
  ...(onWire && { onWire }),
  name: `${name}, calls of that route`,
  client: `${call.method ?? 'GET'}, 2/s`,
  answers: byPath((clock) => ({ '/bad': listener(clock) })),
  play: offer({ perSecond: 2, seconds: 15 }, call, ({ status }) => status === good),
})

/** 16 long responses, which count as well. */
const long = (name: string, call: Call, listener: (clock: Clock) => RequestListener): Fault => ({
  name: `16 ${name} beside polls`,
  client: 'GET, 5/s, gives up after 10 s',
  answers: byPath((clock) => ({ '/long': listener(clock) })),
  play: together(
    atOnce(16, { path: '/long', ...call }),
    offer({ perSecond: 5, seconds: 15 }, { path: PATH, timeout: 10 }),
  ),
  onWire: true,
})

const EVENT = 'data: {"progress":1}\n\n'

const eventStreams = long('event streams', {}, (clock) => inPieces(clock, EVENT, 18, 1))

export const neighbours: readonly Fault[] = [
  {
    name: 'hung route beside polls',
    client: 'GET, 1/s, 25 polls, beside 4/s to the hung route that give up after 10 s',
    answers: byPath(() => ({ '/hung': () => {} })),
    play: together(
      offer({ perSecond: 1, seconds: 25 }, { path: PATH }),
      offerUncounted({ perSecond: 4, seconds: 25 }, { path: '/hung', timeout: 10 }),
    ),
  },
  eventStreams,
  long('downloads of 5 MB', {}, (clock) => inPieces(clock, 'x'.repeat(70_000), 72, 0.25)),
  {
    ...long('WebSockets', { upgrade: 'websocket' }, (clock) => answerAfter(clock, 0)),
    answers: (clock) => ({
      request: answerAfter(clock, 0.005),
      upgrade: async (_request, socket) => {
        socket.on('error', () => {})
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
        for (let second = 0; second < 18 && !socket.destroyed; second += 1) {
          socket.write('\x81\x01x')
          await clock.sleep(1)
        }
        socket.end()
      },
    }),
  },
  ...besides.flatMap((beside) =>
    beside.good === undefined ? [besideRow(beside)] : [besideRow(beside), ownRow(beside)],
  ),
  {
    name: 'two replicas, one of which answers 500',
    client: 'GET, 5/s, to both in turn',
    answers: (clock, replica) => ({
      request: replica === 0 ? answerAfter(clock, 0.005) : (_request, response) => answer(response, 500),
    }),
    play: offer({ perSecond: 5, seconds: 15 }),
    replicas: 2,
  },
]
