import { nodeScript } from '../machine/scripts.ts'
import type { Contestant } from './contestant.ts'

/** The least that a Node proxy on undici can do: what the policies cost is measured against it. */
export const bareUndici: Contestant = {
  letter: 'a',
  name: 'bare undici',
  absence: undefined,
  prepare: ({ port, originPort }) => nodeScript(import.meta.resolve('../baselines/bare-undici.ts'), port, originPort),
}

/** What people use in Node. */
export const httpProxy: Contestant = {
  letter: 'b',
  name: 'http-proxy',
  absence: undefined,
  prepare: ({ port, originPort }) => nodeScript(import.meta.resolve('../baselines/http-proxy.ts'), port, originPort),
}
