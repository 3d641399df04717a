/** Setup of the projects `unit` and `wire`: a test that starts a process fails. It belongs in `*.system.test.ts`. */

import { ChildProcess } from 'node:child_process'

Object.defineProperty(ChildProcess.prototype, 'spawn', {
  value: () => {
    throw new Error('a test that starts a process belongs into a file *.system.test.ts')
  },
})
