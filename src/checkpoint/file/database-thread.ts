/** Thread of the embedded store, so that the event loop never waits for a disk. */

import { flushCompileCache } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import { execute, type FromThread, type Outcome, type ToThread } from '../calls.ts'
import { CheckpointDatabase } from './database.ts'
import { makeFolder, setAside } from './file.ts'
import { isMalformed } from './sqlite-faults.ts'
import type { StoreSettings } from '../store.ts'

const { path, settings }: { path: string; settings: StoreSettings } = workerData
const port = parentPort
if (port === null) throw new Error('to be run as a worker thread')

let last: readonly Outcome[] = []
let database = open()
post({ kind: 'open' })
// The thread of a process that is killed would leave none (bin/breakwater.js). It takes nothing when nothing was compiled.
flushCompileCache()

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
  } catch (error) {
    if (isMalformed(error)) replaceFile(error)
    return post({ kind: 'failed', why: messageOf(error) })
  }
  try {
    post({ kind: 'outcomes', outcomes: last })
  } catch {
    postEach() // one of them cannot be put into a message; they are done, whichever it is
  }
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
    return new CheckpointDatabase(path, settings)
  } catch (error) {
    if (!isMalformed(error)) throw error
    return beginAnew(error)
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
