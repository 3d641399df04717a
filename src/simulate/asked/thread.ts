/** Thread that runs one simulation for the control API, and ends with it. */

import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { answerTo } from './answer.ts'
import type { SimulationOrder } from './order.ts'

// On Linux a thread has a priority of its own: requests come first. Elsewhere it would be the process's.
if (process.platform === 'linux') setPriority(19)

parentPort?.on('message', (order: SimulationOrder) => {
  void answerTo(order, process.env).then((answer) => parentPort?.postMessage(answer))
})
