import { createServer } from 'node:http'
import { describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { hasChromium, launch } from '../support/browser.ts'
import { needs } from '../support/needs.ts'
import { listening } from '../support/ports.ts'
import { PYTHON } from '../support/python.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { sidecarBefore } from './between.ts'
import { echoUpstream } from './echo.ts'
import { hasPython, run } from './programs.ts'

const hasAiohttp = hasPython('aiohttp')
needs('chromium', hasChromium)
needs('python3-aiohttp', hasAiohttp)

/** Sends each message back, compressed where the client can read that. */
async function webSocketsBehindTheSidecar(t: Scope) {
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 }, handleProtocols: () => 'echo' })
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  const port = await listening(server)
  t.onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
  })
  return sidecarBefore(t, `http://127.0.0.1:${port}`)
}

const EXPECTED = ['echo', 'a'.repeat(200_000), 'b', 4000]

const IN_THE_PAGE = (url: string) => `new Promise((resolve, reject) => {
  const told = []
  const socket = new WebSocket('${url}', ['echo'])
  socket.onerror = () => reject(new Error('the WebSocket failed'))
  socket.onopen = () => {
    told.push(socket.protocol)
    socket.send('a'.repeat(200_000))
    socket.send('b')
  }
  socket.onmessage = ({ data }) => {
    told.push(data)
    if (data === 'b') socket.close(4000, 'bye')
  }
  socket.onclose = ({ code }) => resolve([...told, code])
})`

const IN_PYTHON = `
import asyncio, json, sys, aiohttp
async def main():
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(sys.argv[1], protocols=["echo"], compress=15) as socket:
            await socket.send_str("a" * 200_000)
            await socket.send_str("b")
            told = [socket.protocol, await socket.receive_str(), await socket.receive_str()]
            await socket.close(code=4000, message=b"bye")
            print(json.dumps([*told, socket.close_code]))
asyncio.run(main())
`

describe('WebSockets behind the sidecar, with compression and a subprotocol', () => {
  test.runIf(hasChromium)('of a browser', async (t) => {
    const { url, proxy } = await webSocketsBehindTheSidecar(t)
    // A browser opens one from a page.
    const page = await sidecarBefore(t, await echoUpstream(t))
    const browser = await launch()
    t.onTestFinished(() => browser.close())
    const tab = await browser.newPage()
    await tab.goto(`${page.url}/page`)
    expect(await tab.evaluate(IN_THE_PAGE(url.replace('http', 'ws')))).toEqual(EXPECTED)
    expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ status: 101 })
  })

  test.runIf(hasAiohttp)('of aiohttp', async (t) => {
    const { url, proxy } = await webSocketsBehindTheSidecar(t)
    const { stdout } = await run(PYTHON, ['-c', IN_PYTHON, url.replace('http', 'ws')])
    expect(JSON.parse(stdout)).toEqual(EXPECTED)
    const line = await proxy.logged(({ msg }) => msg === 'request')
    expect(line).toMatchObject({ status: 101, attempts: 1 })
    expect(Number(line.bytes_out)).toBeGreaterThan(100)
  })
})
