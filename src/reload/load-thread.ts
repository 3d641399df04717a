/** Thread that reads a configuration, so that a large or hostile file delays no request. */

import { parentPort } from 'node:worker_threads'
import { loadConfig } from '../config/load.ts'
import { warningsOf } from '../config/warnings.ts'
import type { LoadOrder, ThreadAnswer } from './config-thread.ts'

parentPort?.on('message', ({ text, file, env }: LoadOrder) => {
  const loaded = loadConfig(text, file, env)
  const answer: ThreadAnswer = loaded.ok
    ? { ok: true, config: loaded.config, warnings: warningsOf(loaded.config, loaded.origins) }
    : loaded
  parentPort?.postMessage(answer)
})
