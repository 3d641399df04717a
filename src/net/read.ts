/**
 * Reads sockets into one buffer that all of them share. node allocates 64 KiB for each read and a Buffer for what came: under
 * load that is a fifth of the memory and a tenth of the CPU time. Nothing reads beside the event loop's thread, so one is enough.
 */

import { Socket } from 'node:net'

const READ_BYTES = 64 * 1024
/** A read of as many bytes is a part of a large body: the next one goes into a buffer of its own, which is not copied. */
const BULK_BYTES = 32 * 1024

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
const NEXT = partNamed('kBufferGen')

/** @param isOwn whether the bytes stay what they are; otherwise the next read overwrites them, and what is kept is copied. */
export type Take = (bytes: Buffer, isOwn: boolean) => void

let buffer: Buffer | undefined

/**
 * Calls `take` with what a socket receives.
 * @returns ends that: the socket is read as a stream from then on.
 */
export function readShared(socket: Socket, take: Take): () => void {
  const parts = socket as unknown as Parts
  if (!isPlain(socket) || BUFFER === undefined || CALLBACK === undefined || NEXT === undefined) {
    const onData = (bytes: Buffer) => take(bytes, true)
    socket.on('data', onData)
    return () => void socket.off('data', onData)
  }
  buffer ??= Buffer.allocUnsafeSlow(READ_BYTES)
  const shared = buffer
  let isTaken = true
  /** Buffer of the next read, where that is not the shared one. */
  let own: Buffer | undefined
  parts[BUFFER] = shared
  parts[NEXT] = () => own ?? shared
  parts[CALLBACK] = (bytes: number) => {
    const read = (own ?? shared).subarray(0, bytes)
    const isBulk = bytes >= BULK_BYTES
    const isOwn = own !== undefined && isBulk
    own = isBulk ? Buffer.allocUnsafeSlow(READ_BYTES) : undefined
    if (!isTaken) return socket.push(isOwn ? read : Buffer.from(read))
    take(read, isOwn)
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
