declare module 'http-proxy' {
  import type { Agent, IncomingMessage, ServerResponse } from 'node:http'

  type Settings = { readonly target?: string; readonly agent?: Agent }
  type Proxy = {
    web(request: IncomingMessage, response: ServerResponse, settings: Settings, onError: (error: Error) => void): void
  }
  const httpProxy: { createProxyServer(settings: Settings): Proxy }
  export default httpProxy
}
