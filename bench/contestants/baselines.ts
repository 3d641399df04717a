import { nodeScript } from '../machine/scripts.ts'
import type { Contestant } from './contestant.ts'

/** The smallest possible Node proxy on undici: the cost of the policies is measured against it. */
export const bareUndici: Contestant = {
  letter: 'a',
  name: 'bare undici',
  absence: undefined,
  prepare: ({ port, originPort }) => nodeScript(import.meta.resolve('../baselines/bare-undici.ts'), port, originPort),
}

/** A widely used proxy for Node. */
export const httpProxy: Contestant = {
  letter: 'b',
  name: 'http-proxy',
  absence: undefined,
  prepare: ({ port, originPort }) => nodeScript(import.meta.resolve('../baselines/http-proxy.ts'), port, originPort),
}

/** node:net both ways: the floor of what Node can do. */
export const bareNet: Contestant = {
  letter: 'f',
  name: 'bare node:net',
  absence: undefined,
  prepare: ({ port, originPort }) => nodeScript(import.meta.resolve('../baselines/bare-net.ts'), port, originPort),
}
