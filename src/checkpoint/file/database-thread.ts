/** Thread of the embedded store, so that the event loop never waits for a disk. */

import { statSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { execute, freesSpace, type FromThread, type Outcome, type StoreCall, type ToThread } from '../calls.ts'
import { CheckpointDatabase } from './database.ts'
import { makeFolder, setAside } from './file.ts'
import { DiskReserve, freeBytes } from './reserve.ts'
import { isDiskFault, isInUse, isMalformed } from './sqlite-faults.ts'
import type { StoreSettings } from '../store.ts'

const { path, settings }: { path: string; settings: StoreSettings } = workerData
const port = parentPort
if (port === null) throw new Error('to be run as a worker thread')

const reserve = path === ':memory:' ? undefined : new DiskReserve(path)
let last: readonly Outcome[] = []
let database = open()
post({ kind: 'open' })

port.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'batch':
      return run(message)
    case 'again':
      return postEach()
    case 'close':
      database.close()
      port.close()
      return
    default:
      return message satisfies never
  }
})
port.on('messageerror', () => post({ kind: 'unread' }))

function post(message: FromThread): void {
  port?.postMessage(message)
}

/** Writes all calls that came during the previous write with one transaction and one fsync. */
function run({ calls, now }: Extract<ToThread, { kind: 'batch' }>): void {
  try {
    last = execute(database, calls, now)
    if (calls.some(({ kind }) => kind === 'sweep')) reserve?.take()
  } catch (error) {
    if (isMalformed(error)) {
      replaceFile(error)
      return post({ kind: 'failed', why: messageOf(error) })
    }
    last = calls.map((call) => runAlone(call, now))
  }
  try {
    post({ kind: 'outcomes', outcomes: last })
  } catch {
    postEach() // one of them cannot be put into a message; they are done, whichever it is
  }
}

/** A disk that takes no write still reads, and has the reserve for what frees space. */
function runAlone(call: StoreCall, now: number): Outcome {
  try {
    return executeAlone(call, now)
  } catch (error) {
    if (!freesSpace(call)) return { down: messageOf(error) }
    return inReserve(call, now)
  }
}

function inReserve(call: StoreCall, now: number): Outcome {
  try {
    reserve?.release()
    const outcome = executeAlone(call, now)
    returnSpace()
    return outcome
  } catch (error) {
    return { down: messageOf(error) }
  }
}

function returnSpace(): void {
  try {
    database.shrink()
    const growth = database.bytes - statSync(path).size
    if (growth <= freeBytes(path)) database.shortenLog()
  } catch (error) {
    if (!isDiskFault(error)) throw error // what was deleted is room for new records, though the file is as large as before
  }
}

function executeAlone(call: StoreCall, now: number): Outcome {
  const [outcome] = execute(database, [call], now)
  return outcome ?? { fault: 'the call has no outcome' }
}

function postEach(): void {
  for (const outcome of last) {
    try {
      post({ kind: 'outcomes', outcomes: [outcome] })
    } catch (error) {
      post({ kind: 'outcomes', outcomes: [{ fault: messageOf(error) }] })
    }
  }
}

/** @throws when the file cannot be opened although it is not malformed. */
function open(): CheckpointDatabase {
  if (path !== ':memory:') makeFolder(path)
  try {
    return opened()
  } catch (error) {
    if (!isMalformed(error)) throw error
    return beginAnew(error)
  } finally {
    reserve?.take()
  }
}

function opened(): CheckpointDatabase {
  try {
    return new CheckpointDatabase(path, settings)
  } catch (error) {
    if (!isDiskFault(error) || isMalformed(error) || isInUse(error)) throw error
    reserve?.release()
    return new CheckpointDatabase(path, settings)
  }
}

function replaceFile(error: unknown): void {
  database.close()
  database = beginAnew(error)
}

function beginAnew(error: unknown): CheckpointDatabase {
  post({ kind: 'set_aside', path: setAside(path), why: messageOf(error) })
  return new CheckpointDatabase(path, settings)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
