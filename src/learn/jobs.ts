/** Finds jobs in a recording: which route polls them, what running, failed and completed looks like, and which route creates them. */

import type { Exchange } from './exchange.ts'
import { type IdInValue, idInValue } from '../job/id.ts'
import { type Scalar, scalarsIn } from './json.ts'
import type { Template } from './templates.ts'

/** A route that asks for the state of a job. */
export type Poll = {
  readonly template: Template
  /** Query parameter with the id; undefined where the id stands in the path. */
  readonly query: string | undefined
  /** Exchanges of each job, in the order of time. */
  readonly jobs: ReadonlyMap<string, readonly Exchange[]>
  readonly state: State
  /** Median time between two polls of a job, in ms. */
  readonly everyMs: number
}

/** What polls say of a job. */
export type State =
  | {
      readonly by: 'json'
      readonly pointer: string
      readonly running: readonly Scalar[]
      readonly failed: readonly Scalar[]
      readonly completed: readonly Scalar[]
    }
  | { readonly by: 'status'; readonly running: readonly number[] }
  | { readonly by: 'unknown' }

/** A route whose responses name jobs that are polled later. */
export type Creation = {
  readonly template: Template
  /** JSON Pointer, or the name of a response field. `match`: pattern of the URL there, where the id is not its last segment. */
  readonly id: Place & { readonly match?: string }
  readonly upstream: string
  /** From the creation to the first poll that found the job at its end, in ms; none where no end was seen. */
  readonly lengthsMs: readonly number[]
  readonly jobs: number
}

type Place = { readonly json: string } | { readonly header: string }

const FAILED = /fail|error|cancel|abort|timed?[ _-]?out|expired|reject|dead|crash/i
const STATE_NAME = /(?:status|state|phase|done|complete|finished|success)$/i

/** More values than that are no states: progress, times, texts. */
const MAX_STATES = 12
const MAX_STATE_CHARS = 40

export function pollsIn(templates: readonly Template[]): Poll[] {
  return templates.flatMap((template) => {
    if (template.method !== 'GET') return []
    const query = template.path.includes('{') ? undefined : idParameter(template)
    if (!template.path.includes('{') && query === undefined) return []
    const jobs = new Map<string, Exchange[]>()
    for (const { exchange, ids } of template.exchanges.toSorted((a, b) => a.exchange.atMs - b.exchange.atMs)) {
      const id = query === undefined ? ids.at(-1) : exchange.query.find(([name]) => name === query)?.[1]
      if (id !== undefined) jobs.set(id, [...(jobs.get(id) ?? []), exchange])
    }
    const rows = [...jobs.values()]
    if (!rows.some((row) => row.length > 1)) return []
    const state = stateIn(rows)
    const isJson = rows.flat().some(({ body }) => body !== undefined)
    // A file that is fetched twice is no poll. Without bodies nothing tells the two apart but their number.
    const isOften = rows.some((row) => row.length > 2)
    if (state.by === 'unknown' && (isJson || !isOften)) return []
    return [{ template, query, jobs, state, everyMs: medianPause(rows) }]
  })
}

/** A query parameter whose values look like ids: one value for several requests, several values over all. */
function idParameter({ exchanges }: Template): string | undefined {
  const values = new Map<string, string[]>()
  for (const { exchange } of exchanges)
    for (const [name, value] of exchange.query) values.set(name, [...(values.get(name) ?? []), value])
  const named = [...values].filter(([name, all]) => /id$/i.test(name) && new Set(all).size < all.length)
  return named[0]?.[0]
}

function medianPause(rows: readonly (readonly Exchange[])[]): number {
  const pauses = rows
    .flatMap((row) => row.slice(1).map((exchange, i) => exchange.atMs - (row[i]?.atMs ?? 0)))
    .sort((a, b) => a - b)
  return pauses[pauses.length >> 1] ?? 0
}

function stateIn(rows: readonly (readonly Exchange[])[]): State {
  const byJson = stateInJson(rows)
  if (byJson !== undefined) return byJson
  const isPending = ({ status }: Exchange) => status === 202 || status === 425
  const changes = rows.some((row) => row.some(isPending) && row.some(({ status }) => status === 200))
  if (!changes) return { by: 'unknown' }
  return {
    by: 'status',
    running: [
      ...new Set(
        rows
          .flat()
          .filter(isPending)
          .map(({ status }) => status),
      ),
    ],
  }
}

function stateInJson(rows: readonly (readonly Exchange[])[]): State | undefined {
  const series = new Map<string, Scalar[][]>()
  for (const row of rows) {
    const ofRow = new Map<string, Scalar[]>()
    for (const { body } of row)
      for (const [pointer, value] of scalarsIn(body)) ofRow.set(pointer, [...(ofRow.get(pointer) ?? []), value])
    for (const [pointer, values] of ofRow) series.set(pointer, [...(series.get(pointer) ?? []), values])
  }
  const found = [...series]
    .filter(([, all]) => all.some((values) => new Set(values).size > 1) && all.flat().every(canBeState))
    .map(([pointer, all]) => ({ pointer, all, distinct: new Set(all.flat()).size }))
    .filter(({ distinct }) => distinct <= MAX_STATES)
    .sort((a, b) => rank(a.pointer) - rank(b.pointer) || a.pointer.length - b.pointer.length)
  const [best] = found
  return best === undefined ? undefined : statesOf(best.pointer, best.all)
}

const canBeState = (value: Scalar) =>
  typeof value === 'boolean' ||
  (typeof value === 'string' && value.length <= MAX_STATE_CHARS && !/^\d{4}-\d\d/.test(value))

const rank = (pointer: string) => (STATE_NAME.test(pointer) ? 0 : 1)

/** A value that another one followed is a running job's; one that stayed the last is its end. */
function statesOf(pointer: string, all: readonly (readonly Scalar[])[]): State {
  const running = new Set<Scalar>()
  const last = new Set<Scalar>()
  for (const values of all) {
    for (const [i, value] of values.entries()) {
      const next = values[i + 1]
      if (next !== undefined && next !== value) running.add(value)
    }
    if (new Set(values).size > 1) last.add(values.at(-1) ?? null)
  }
  const ends = [...last].filter((value) => !running.has(value))
  // A job that was seen once in its end has it, too.
  for (const [only, second] of all)
    if (second === undefined && only !== undefined && FAILED.test(String(only))) ends.push(only)
  const failed = [...new Set(ends.filter((value) => FAILED.test(String(value))))]
  return { by: 'json', pointer, running: [...running], failed, completed: ends.filter((one) => !failed.includes(one)) }
}

/** Routes whose responses hold ids that were polled afterwards. */
export function creationsIn(templates: readonly Template[], polls: readonly Poll[]): Creation[] {
  return templates
    .filter(({ method }) => method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS')
    .flatMap((template) => {
      const places = new Map<string, Creation['id']>()
      const hits = new Map<string, number[]>()
      const seen = new Map<string, number>()
      const patterns = polls.filter((poll) => poll.template.upstream === template.upstream).flatMap(patternOf)
      for (const { exchange } of template.exchanges)
        for (const [place, id, value] of idsIn(exchange, patterns)) {
          const end = endOf(value, exchange, template.upstream, polls)
          if (end === undefined) continue
          places.set(place, id)
          seen.set(place, (seen.get(place) ?? 0) + 1)
          hits.set(place, [...(hits.get(place) ?? []), ...(end.atMs === undefined ? [] : [end.atMs - exchange.atMs])])
        }
      const best = [...seen].sort((a, b) => b[1] - a[1] || a[0].length - b[0].length)[0]
      const id = best === undefined ? undefined : places.get(best[0])
      if (best === undefined || id === undefined) return []
      return [{ template, id, upstream: template.upstream, lengthsMs: hits.get(best[0]) ?? [], jobs: best[1] }]
    })
}

/** The polls, with the state in which responses of a creation reported their jobs: few clients poll soon enough to see it. */
export function withFirstStates(polls: readonly Poll[], creations: readonly Creation[]): Poll[] {
  return polls.map((poll) => {
    const { state, template } = poll
    if (state.by !== 'json') return poll
    const known = new Set<Scalar>([...state.running, ...state.failed, ...state.completed])
    const first = creations
      .filter(({ upstream }) => upstream === template.upstream)
      .flatMap((creation) =>
        creation.template.exchanges.map(({ exchange }) => scalarsIn(exchange.body).get(state.pointer)),
      )
      .filter((value) => value !== undefined)
      .filter((value) => canBeState(value) && !known.has(value) && !FAILED.test(String(value)))
    return { ...poll, state: { ...state, running: [...new Set([...first, ...state.running])] } }
  })
}

type IdPattern = { readonly match: string; readonly read: IdInValue }

/** How a URL of the poll names the job; none where that is its last segment, or where its path has several ids. */
function patternOf({ template: { path }, query }: Poll): IdPattern[] {
  const isLast = query === undefined && /\/\{\w+\}$/.test(path)
  if (isLast || (query === undefined && path.split('{').length !== 2)) return []
  const match = query === undefined ? path : `${path}?${query}={id}`
  return [{ match, read: idInValue(match) }]
}

/** Values of a response that may be the id of a new job. */
function idsIn(
  { body, headers }: Exchange,
  patterns: readonly IdPattern[],
): (readonly [place: string, id: Creation['id'], value: string])[] {
  const values = [...scalarsIn(body)].filter(([, value]) => typeof value === 'string' || typeof value === 'number')
  const inBody = values.map(([json, value]) => [json, { json }, String(value)] as const)
  const fields = ['location', 'operation-location', 'content-location'].flatMap((header) => {
    const url = headers.get(header)
    return url === undefined ? [] : [{ header, url }]
  })
  const inFields = fields.flatMap(({ header, url }) => {
    const id = /([^/?#]+)\/?(?:[?#].*)?$/.exec(url)?.[1]
    return id === undefined ? [] : [[header, { header }, id] as const]
  })
  const urls: (readonly [Place, string])[] = [
    ...values.map(([json, value]) => [{ json }, String(value)] as const),
    ...fields.map(({ header, url }) => [{ header }, url] as const),
  ]
  const byPattern = urls
    .filter(([, url]) => url.includes('/'))
    .flatMap(([place, url]) =>
      patterns.flatMap(({ match, read }) => {
        const id = read(url)
        return id === undefined ? [] : [[`${Object.values(place)} ${match}`, { ...place, match }, id] as const]
      }),
    )
  return [...inBody, ...inFields, ...byPattern]
}

/** The first poll that found the job at its end; `atMs` undefined when none did, undefined when nobody polled it. */
function endOf(
  id: string,
  created: Exchange,
  upstream: string,
  polls: readonly Poll[],
): { atMs: number | undefined } | undefined {
  for (const { template, jobs, state } of polls) {
    const row = template.upstream === upstream ? jobs.get(id)?.filter(({ atMs }) => atMs >= created.atMs) : undefined
    if (row === undefined || row.length === 0) continue
    return { atMs: row.find((exchange) => isEnd(exchange, state))?.atMs }
  }
  return undefined
}

function isEnd({ body, status }: Exchange, state: State): boolean {
  if (state.by === 'status') return !state.running.includes(status)
  if (state.by === 'unknown') return false
  const value = scalarsIn(body).get(state.pointer)
  return value !== undefined && (state.failed.includes(value) || state.completed.includes(value))
}
