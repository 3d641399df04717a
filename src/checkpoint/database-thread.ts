/** The thread of the embedded store: the event loop that carries requests never waits for a disk. */

import { parentPort, workerData } from 'node:worker_threads'
import { type Batch, type BatchResult, execute } from './calls.ts'
import { CheckpointDatabase } from './database.ts'
import type { StoreSettings } from './store.ts'

const { path, settings }: { path: string; settings: StoreSettings } = workerData
const port = parentPort
if (port === null) throw new Error('to be run as a worker thread')

const database = new CheckpointDatabase(path, settings)
port.postMessage('open')

port.on('message', (batch: Batch | 'close') => {
  if (batch === 'close') {
    database.close()
    port.close()
    return
  }
  port.postMessage(run(batch))
})

/** One transaction, one fsync, for all calls that came while the one before was written. */
function run({ calls, now }: Batch): BatchResult {
  try {
    return { results: database.together(() => calls.map((call) => execute(database, call, now))) }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}
