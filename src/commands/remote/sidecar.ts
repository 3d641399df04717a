/** A running sidecar, for commands that ask it: the options that say where it is, and its API. */

import { ApiError, type Api, createApi } from '../../dashboard/api.js'
import { type Surroundings, variable } from '../command.ts'
import { UsageError } from '../usage-error.ts'

/** Options of every command that asks a running sidecar. */
export const SIDECAR_OPTIONS = {
  url: { type: 'string', default: 'http://127.0.0.1:8081' },
  'token-env': { type: 'string' },
} as const

export const SIDECAR_USAGE = '[--url http://127.0.0.1:8081] [--token-env NAME]'

type Where = { readonly url: string; readonly 'token-env'?: string | undefined }

/** @throws UsageError for an address that is none, or a variable that is not set. */
export function sidecarAt({ url, 'token-env': name }: Where, surroundings: Surroundings): Api {
  const token = name === undefined ? '' : variable('--token-env', name, surroundings)
  if (!URL.canParse(url)) throw new UsageError('--url: expected one such as http://127.0.0.1:8081')
  return apiAt(url, token)
}

/** @param token '' for none. */
export const apiAt = (url: string, token: string): Api =>
  createApi(
    url.endsWith('/') ? url : `${url}/`, // what is below a path stays below it
    () => token,
    async () => false,
  )

/** Why a call failed. fetch only says `fetch failed`; the reason is in its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof ApiError) return `${error.message} (${error.status})`
  return error.cause instanceof Error ? error.cause.message || error.message : error.message
}
