/** Setup of the project `unit`: a test that opens a socket fails. Such a test belongs in a file without `.unit`. */

import { Server, Socket } from 'node:net'
import './only-in-process.ts'

for (const [owner, method] of [
  [Server.prototype, 'listen'],
  [Socket.prototype, 'connect'],
] as const)
  Object.defineProperty(owner, method, {
    value: () => {
      throw new Error(`a test that calls ${method}() of node:net belongs into a file without .unit`)
    },
  })
