/** A running sidecar, for commands that ask it: the options that say where it is, its API, and what is said when it does not answer. */

import { type Clock, systemClock } from '../../clock.ts'
import { ApiError, type Api, createApi } from '../../dashboard/api.js'
import { EXIT } from '../cli/exit-codes.ts'
import { type Surroundings, variable } from '../command.ts'
import { UsageError } from '../usage-error.ts'

/** Options of every command that asks a running sidecar. */
export const SIDECAR_OPTIONS = {
  url: { type: 'string', default: 'http://127.0.0.1:8081' },
  'token-env': { type: 'string' },
} as const

/** Those, and the one of commands that print. */
export const ASKING_OPTIONS = { ...SIDECAR_OPTIONS, json: { type: 'boolean', default: false } } as const

export const SIDECAR_USAGE = '[--url http://127.0.0.1:8081] [--token-env NAME]'
export const ASKING_USAGE = `${SIDECAR_USAGE} [--json]`

export type Where = { readonly url: string; readonly 'token-env'?: string | undefined }

/** Time in ms for the sidecar to answer all that a command asks. */
const ANSWER_MS = 10_000

/** Variable that the guides give the token in. */
const USUAL_VARIABLE = 'BREAKWATER_TOKEN'

/** The sidecar refused what was asked; the message says why. */
export class Refused extends Error {}

/** @throws UsageError for an address that is none, or a variable that is not set. */
export function sidecarAt({ url, 'token-env': name }: Where, surroundings: Surroundings): Api {
  const token = name === undefined ? '' : variable('--token-env', name, surroundings)
  // host:port, as the file has it in control.listen.
  const address = /^[\w.-]+:\d+$/.test(url) ? `http://${url}` : url
  if (!URL.canParse(address) || !/^https?:/.test(address))
    throw new UsageError('--url: expected one such as http://127.0.0.1:8081')
  return apiAt(address, token)
}

/** @param token '' for none. */
export const apiAt = (url: string, token: string): Api =>
  createApi(
    url.endsWith('/') ? url : `${url}/`, // what is below a path stays below it
    () => token,
    async () => false,
  )

/**
 * Asks a sidecar, and says why when it does not answer in time or refuses.
 * @param ask gives the exit code.
 */
export async function asking(
  where: Where,
  surroundings: Surroundings,
  ask: (api: Api, signal: AbortSignal) => Promise<number>,
  clock: Clock = systemClock,
): Promise<number> {
  const api = sidecarAt(where, surroundings)
  const late = new AbortController()
  const timer = clock.after(ANSWER_MS, () => late.abort(new Error(`no answer within ${ANSWER_MS / 1000} s`)))
  try {
    return await ask(api, late.signal)
  } catch (error) {
    if (error instanceof UsageError) throw error
    if (mayBeAnother(error) && !(await isControl(api, late.signal))) {
      surroundings.complain(`breakwater: ${where.url} is no control listener: --url is the address of control.listen\n`)
      return EXIT.unanswered
    }
    if (error instanceof Refused || isRefusal(error)) {
      surroundings.complain(`breakwater: ${error.message}\n`)
      return EXIT.bad
    }
    surroundings.complain(unanswered(where, error, surroundings.env))
    return EXIT.unanswered
  } finally {
    clock.cancel(timer)
  }
}

/** The sidecar understood and did not do it. Without a token nothing is understood. */
const isRefusal = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.status < 500 && error.status !== 401

/** Whether an error may come of an answer by something else, such as an upstream: not one of the network, whose cause is known. */
const mayBeAnother = (error: unknown) =>
  isRefusal(error) || (error instanceof Error && error.cause === undefined && !(error instanceof ApiError))

/** Whether a control listener answers there: it describes its API. */
async function isControl(api: Api, signal: AbortSignal): Promise<boolean> {
  const { paths } = await api.get('openapi.json', signal).catch(() => ({}))
  return paths?.['/v1/upstreams'] !== undefined
}

/** The message for a sidecar that gave no answer, with what to try. */
export function unanswered(where: Where, error: unknown, env: Surroundings['env']): string {
  return `breakwater: ${where.url}: ${reasonOf(error)}\n${hintOf(where, error, env)}`
}

function hintOf(where: Where, error: unknown, env: Surroundings['env']): string {
  if (error instanceof ApiError) {
    if (error.status !== 401) return ''
    const name = env[USUAL_VARIABLE] === undefined ? 'NAME' : USUAL_VARIABLE
    const said = where['token-env'] === undefined ? `--token-env ${name}` : 'its value is another one'
    return `the environment variable with the token is given by --token-env NAME: ${said}\n`
  }
  return 'does the sidecar run, and is --url the address of its control.listen?\n'
}

/** Why a call failed. fetch only says `fetch failed`; the reason is in its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof ApiError) return `${error.message} (${error.status})`
  return error.cause instanceof Error ? error.cause.message || error.message : error.message
}

/** For `--json`. */
export const printedJson = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`
