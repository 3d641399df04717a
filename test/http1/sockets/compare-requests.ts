/** Compares what the sidecar's connection of a client and node:http's server make of the same bytes on a real connection. */

import { connect } from 'node:net'
import type { Chance } from '../../fuzz/chance.ts'
import { listening } from '../../support/ports.ts'
import { compareServers, STRICTER } from '../compare.ts'
import type { OneRun } from './socket-run.ts'
import { requestStream, type Stream } from '../generated.ts'
import { type Outcome, piecesOf, readResponses } from '../messages.ts'
import { deliver, settled, turnUntil } from './delivery.ts'
import { nodeServer, type Read, sidecarServer, type TestServer } from './servers.ts'

/** How the client ends its connection when all is sent. */
type Ending = 'ends' | 'resets'

/** @property statuses of the final responses that the client got. @property isClosed whether the server closed, too. */
type Sent = Read & { readonly statuses: readonly string[]; readonly isClosed: boolean }

export class RequestOracles {
  readonly #ours = sidecarServer()
  readonly #node = nodeServer()
  #ports: readonly number[] = []

  async listen(): Promise<void> {
    this.#ports = [await listening(this.#ours.server), await listening(this.#node.server)]
  }

  close(): void {
    for (const { server } of [this.#ours, this.#node]) server.close()
  }

  async compare(chance: Chance): Promise<OneRun> {
    const stream = requestStream(chance)
    const ending = chance.oneOf<Ending>(['ends', 'ends', 'ends', 'resets'])
    const [ourPort = 0, nodePort = 0] = this.#ports
    const [ours, node] = await Promise.all([
      send(stream, ending, this.#ours, ourPort),
      send(stream, ending, this.#node, nodePort),
    ])
    const { defect, stricter, agreed } = compareServers(stream.bytes, untilLast(ours, ending), node)
    const isUnexplained = stricter !== '' && STRICTER[stricter] === undefined && !stricter.startsWith('incomplete')
    const found = isUnexplained
      ? `refuses alone, without a reason in STRICTER: ${stricter}`
      : defect || ownDefect(ours, ending)
    const shown = () =>
      JSON.stringify({ bytes: stream.bytes.toString('latin1'), ending, ours: plain(ours), node: plain(node) })
    return {
      defects: found === '' ? [] : [`${found}: ${shown()}`],
      agreed,
      stricter: stricter === '' ? [] : [stricter],
    }
  }
}

const plain = ({ messages, error, statuses, isClosed }: Sent) => ({ messages, error, statuses, isClosed })

/** What another server reads, too. A reset says nothing about the bytes before it. */
function untilLast({ messages, error }: Sent, ending: Ending): Outcome {
  const last = messages.findIndex(({ isLast, isWhole, start }) => isLast && (isWhole || start === 'CONNECT'))
  if (last >= 0) return { messages: messages.slice(0, last + 1), error: '' }
  return { messages, error: error === '' && ending === 'resets' ? 'incomplete: the connection was reset' : error }
}

/** Whatever another server does: each whole request has its answer, and the connection of a client that has ended is closed. */
function ownDefect({ messages, error, refusedMethod, statuses, isClosed }: Sent, ending: Ending): string {
  if (error.startsWith('a defect')) return error
  if (!isClosed) return 'keeps a connection whose client has ended'
  const answers = messages.filter(({ isWhole }) => isWhole).length
  if (ending === 'resets') return ''
  const due = [...Array.from({ length: answers }, () => '200'), ...(refusedMethod !== undefined ? ['400'] : [])]
  return statuses.join() === due.join() ? '' : `answers ${statuses.join() || 'nothing'}, not ${due.join() || 'nothing'}`
}

async function send(stream: Stream, ending: Ending, { begin }: TestServer, port: number): Promise<Sent> {
  const read = begin()
  const client = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
  const chunks: Buffer[] = []
  client.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {})
  await turnUntil(() => read.socket !== undefined && client.readyState === 'open')
  const { socket } = read
  if (socket === undefined) throw new Error('the server has not seen the connection')
  await deliver(piecesOf(stream.bytes, stream.cuts), client, socket)
  await settled()
  if (ending === 'ends') client.end()
  else client.resetAndDestroy()
  const isClosed = await turnUntil(() => socket.destroyed && (client.destroyed || client.readableEnded))
  client.destroy()
  const asked = read.messages.map(({ start }) => start)
  const { messages } = readResponses([Buffer.concat(chunks)], [...asked, read.refusedMethod ?? ''])
  const statuses = messages.filter(({ isWhole, start }) => isWhole && Number(start) >= 200).map(({ start }) => start)
  return { ...read, isClosed, statuses }
}
