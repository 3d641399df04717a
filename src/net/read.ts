/**
 * Reads sockets into one buffer that all of them share. node allocates 64 KiB for each read and a Buffer for what came: under
 * load that is a fifth of the memory and a tenth of the CPU time. Nothing reads beside the event loop's thread, so one is enough.
 */

import { Socket } from 'node:net'

const READ_BYTES = 64 * 1024

/**
 * The parts of a socket that node's option `onread` sets. The option is for sockets that connect, and an accepted one has no way
 * to ask for it; so what it sets is set here. Where a Node has no such parts, sockets are read by their `data` events.
 */
type Handle = { useUserBuffer(buffer: Buffer): void }
type Parts = { [key: symbol]: unknown; readonly _handle?: Handle | null }

const PARTS = Object.getOwnPropertySymbols(new Socket())
const partNamed = (name: string) => PARTS.find(({ description }) => description === name)
const BUFFER = partNamed('kBuffer')
const CALLBACK = partNamed('kBufferCb')

let buffer: Buffer | undefined

/**
 * Calls `take` with what a socket receives.
 * @param take gets bytes that are overwritten by the next read: it copies what it keeps.
 * @returns ends that: the socket is read as a stream from then on.
 */
export function readShared(socket: Socket, take: (bytes: Buffer) => void): () => void {
  const parts = socket as unknown as Parts
  if (!isPlain(socket) || BUFFER === undefined || CALLBACK === undefined) {
    socket.on('data', take)
    return () => void socket.off('data', take)
  }
  buffer ??= Buffer.allocUnsafeSlow(READ_BYTES)
  const shared = buffer
  let isTaken = true
  parts[BUFFER] = shared
  parts[CALLBACK] = (bytes: number) => {
    const read = shared.subarray(0, bytes)
    if (!isTaken) return socket.push(Buffer.from(read))
    take(read)
    return true
  }
  // A socket that has no handle yet asks for the buffer when it gets one.
  parts._handle?.useUserBuffer(shared)
  socket.resume()
  return () => {
    isTaken = false
  }
}

/** Whether the socket is no TLS socket, and its handle, if it has one, can read into a buffer. */
function isPlain(socket: Socket): boolean {
  const { _handle: handle } = socket as unknown as Parts
  return Object.getPrototypeOf(socket) === Socket.prototype && typeof handle?.useUserBuffer !== 'undefined'
}
