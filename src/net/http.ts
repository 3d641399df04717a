/**
 * Parts of node:http. An import of names reads all of its exports, and for one of them (WebSocket) node loads the undici that it
 * has inside: a tenth of the time to start, and three megabytes.
 */

export const { createServer, request, STATUS_CODES } = process.getBuiltinModule('node:http')
