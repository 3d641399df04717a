/** Writes a configuration for what was seen of an API, with a reason beside each line. */

import { loadConfig } from '../config/load.ts'
import { formatFaults } from '../config/file/faults.ts'
import { formatWarnings, warningsOf } from '../config/warnings.ts'
import { writtenBytes, writtenMs } from '../config/kinds/units.ts'
import { compileMatch, MATCH_FORM } from '../job/match.ts'
import { REPEATABLE } from '../policy/retry/settings.ts'
import type { Exchange, Recording } from './exchange.ts'
import { type Creation, creationsIn, type Poll, pollsIn, type State, withFirstStates } from './jobs.ts'
import type { Scalar } from './json.ts'
import { type Template, templatesIn } from './templates.ts'
import { limitsOf, roundedUp } from './timing.ts'

export type Proposal = {
  /** The configuration, clean under `check --strict` unless `doubts` says otherwise. */
  readonly yaml: string
  /** What `check` has against it. */
  readonly doubts: string
}

type Line = { readonly text: string; readonly why?: string }

/** @param source what it was learned from, for the comment at the top. */
export function proposalFor(recording: Recording, source: string): Proposal {
  const templates = templatesIn(recording.exchanges).filter(({ method, path }) => MATCH_FORM.test(`${method} ${path}`))
  const found = pollsIn(templates)
  const creations = creationsIn(templates, found)
  const polls = withFirstStates(found, creations)
  const upstreams = [...new Set(recording.exchanges.map(({ upstream }) => upstream))].sort()
  const lines: Line[] = [
    {
      text: `# Proposed from ${recording.exchanges.length} requests of ${source}. Read the reasons, then: breakwater check --strict`,
    },
    ...(recording.hasBodies
      ? []
      : [{ text: '# An access log has no bodies: ids, states and failed jobs are learned from a HAR (--har).' }]),
    { text: 'upstreams:' },
    ...upstreams.flatMap((name) => upstreamLines(name, recording, templates, polls, creations)),
  ]
  const yaml = `${lines.map(written).join('\n')}\n`
  return { yaml, doubts: doubtsAbout(yaml) }
}

function doubtsAbout(yaml: string): string {
  const loaded = loadConfig(yaml, 'proposal', {})
  return loaded.ok ? formatWarnings(warningsOf(loaded.config, loaded.origins)) : formatFaults(loaded.faults)
}

/** Column of the reasons. */
const WHY_AT = 64

const written = ({ text, why }: Line) => (why === undefined ? text : `${text.padEnd(WHY_AT)} # ${why}`)

function upstreamLines(
  name: string,
  { urls, exchanges }: Recording,
  templates: readonly Template[],
  polls: readonly Poll[],
  creations: readonly Creation[],
): Line[] {
  const url = urls.get(name)
  const own = templates.filter(({ upstream }) => upstream === name)
  const listed = own
    .map((template) => ({ template, settings: settingsOf(template, polls, creations) }))
    .filter(({ settings }) => settings.length > 0)
  const apart = own
    .filter((template) => listed.some((one) => one.template !== template && covers(one.template, template)))
    .filter((template) => listed.every((one) => one.template !== template))
    .map((template) => ({ template, settings: repeatLines(template, true) }))
  const routes = [...apart, ...listed].toSorted((a, b) => byNarrowness(a.template, b.template))
  return [
    { text: `  ${name}:` },
    url === undefined
      ? { text: `    url: http://${name}`, why: 'its address, which an access log does not have' }
      : { text: `    url: ${url}` },
    ...limitedLines(exchanges.filter(({ upstream }) => upstream === name)),
    ...(routes.length === 0 ? [] : [{ text: '    routes:' }]),
    ...routes.flatMap(({ template, settings }) => [
      {
        text: `      - match: ${matchOf(template, polls)}`,
        why: apart.some((one) => one.template === template)
          ? 'no job: stands above a route that would take it'
          : seen(template),
      },
      ...settings.map(({ text, ...why }) => ({ text: `        ${text}`, ...why })),
    ]),
  ]
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`

/** The first route that matches applies: fewer names and shorter paths come first, then more text (`/{id}.mp4` before `/{id}`). */
const byNarrowness = (a: Template, b: Template) =>
  namesIn(a) - namesIn(b) || segmentsIn(a) - segmentsIn(b) || textIn(b).length - textIn(a).length

const segmentsIn = ({ path }: Template) => path.split('/').length

const textIn = ({ path }: Template) => path.replaceAll(/\{\w+\}/g, '')

const namesIn = ({ path }: Template) => path.split('{').length - 1

const seen = ({ exchanges }: Template) => (exchanges.length === 1 ? 'seen once' : `seen ${exchanges.length} times`)

/** Whether the first pattern takes requests of the second, which has fewer names. */
function covers(pattern: Template, { upstream, method, path }: Template): boolean {
  if (pattern.upstream !== upstream || pattern.method !== method || !pattern.path.includes('{')) return false
  return !path.includes('{') && compileMatch(`${pattern.method} ${pattern.path}`)(method, path, path, [])
}

function matchOf(template: Template, polls: readonly Poll[]): string {
  const query = polls.find((poll) => poll.template === template)?.query
  return `${template.method} ${template.path}${query === undefined ? '' : `?${query}={id}`}`
}

function settingsOf(template: Template, polls: readonly Poll[], creations: readonly Creation[]): Line[] {
  const poll = polls.find((one) => one.template === template)
  const creation = creations.find((one) => one.template === template)
  const isOfJob = creations.some(({ upstream }) => upstream === template.upstream)
  const limits = limitsOf(template)
  return [
    ...(creation === undefined ? [] : creationLines(creation)),
    ...(poll === undefined ? [] : pollLines(poll, isOfJob)),
    ...(poll === undefined ? downloadLines(template, polls, isOfJob) : []),
    ...repeatLines(template, creation !== undefined || limits !== undefined),
    ...(limits === undefined ? [] : limits.settings.map((text, i) => (i === 0 ? { text, why: limits.why } : { text }))),
  ]
}

/** Whether a second request finds what the first one made is nothing that a recording tells. */
function repeatLines({ method }: Template, isListed: boolean): Line[] {
  if (!isListed || REPEATABLE.includes(method)) return []
  return [{ text: 'idempotent: false', why: 'true only where a repeated request finds what the first one made' }]
}

/** A job may take this many times as long as the longest that was seen. */
const DEADLINE_ROOM = 4
const SHORTEST_DEADLINE_MS = 60_000

function creationLines({ id, lengthsMs, jobs }: Creation): Line[] {
  const match = id.match === undefined ? '' : `, match: ${quoted(id.match)}`
  const place = 'json' in id ? `json: ${quoted(id.json)}${match}` : `header: ${id.header}${match}`
  const longest = Math.max(0, ...lengthsMs)
  const deadline = writtenMs(roundedUp(Math.max(SHORTEST_DEADLINE_MS, longest * DEADLINE_ROOM)))
  const timed =
    lengthsMs.length === 0
      ? {
          text: `creates: { id: { ${place} } }`,
          why: `${counted(jobs, 'job')} of it polled, none to its end: no deadline`,
        }
      : {
          text: `creates: { id: { ${place} }, deadline: ${deadline} }`,
          why: `${counted(jobs, 'job')} of it polled; the longest took ${writtenMs(longest)}`,
        }
  return [timed]
}

const HOLD_MS = 20_000
const [SHORTEST_EVERY_MS, LONGEST_EVERY_MS] = [1000, 10_000]

function pollLines({ template, query, jobs, state, everyMs }: Poll, isOfJob: boolean): Line[] {
  const every = roundedUp(Math.min(LONGEST_EVERY_MS, Math.max(SHORTEST_EVERY_MS, everyMs)))
  const id = query === undefined ? nameOf(template) : `{ query: ${quoted(query)} }`
  const hold = (condition: string) =>
    `hold: { while: ${condition}, upTo: ${writtenMs(HOLD_MS)}, every: ${writtenMs(every)} }`
  const paused = `${counted(jobs.size, 'job')}, polled every ${writtenMs(everyMs)} or so`
  const bound = isOfJob ? [{ text: `job: ${id}`, why: 'the id of the job that is polled' }] : []
  if (state.by === 'unknown')
    return [
      ...bound,
      {
        text: `# ${hold('{ json: /status, in: [queued, processing] }')}`,
        why: `${paused}; what do their reports say?`,
      },
    ]
  if (state.by === 'status')
    return [
      ...bound,
      {
        text: hold(`{ status: ${list(state.running)} }`),
        why: `${paused}; ${state.running.join(' and ')} while they ran`,
      },
    ]
  return [
    ...bound,
    { text: hold(`{ json: ${quoted(state.pointer)}, in: ${list(state.running)} }`), why: paused },
    ...endLines(state, id),
  ]
}

function endLines({ pointer, failed, completed }: Extract<State, { by: 'json' }>, id: string): Line[] {
  const failure = (words: string) => `failureWhen: { json: ${quoted(pointer)}, in: ${words}, oncePer: ${id} }`
  return [
    failed.length > 0
      ? { text: failure(list(failed)), why: 'a failed job counts as a failure of the upstream, once' }
      : { text: `# ${failure('[failed]')}`, why: 'no failed job was seen: what would it say?' },
    ...(completed.length > 0
      ? [
          {
            text: `completedWhen: { json: ${quoted(pointer)}, in: ${list(completed)} }`,
            why: 'what the last polls said',
          },
        ]
      : []),
  ]
}

const nameOf = ({ path }: Template) => /\{(\w+)\}[^{]*$/.exec(path)?.[1] ?? 'id'

/** Smaller bodies are not worth a resume. */
const LARGE = 1_000_000

function downloadLines(template: Template, polls: readonly Poll[], isOfJob: boolean): Line[] {
  const known = new Set(
    polls
      .filter(({ template: { upstream } }) => upstream === template.upstream)
      .flatMap(({ jobs }) => [...jobs.keys()]),
  )
  const isOfKnown = template.exchanges.some(({ ids }) => ids.some((id) => known.has(id)))
  const bound =
    isOfJob && isOfKnown ? [{ text: `job: ${nameOf(template)}`, why: 'has the id of a job that was polled' }] : []
  const files = template.exchanges
    .map(({ exchange }) => exchange)
    .filter(({ bytes, status }) => bytes >= LARGE && status === 200)
  const [file] = files
  if (template.method !== 'GET' || file === undefined) return bound
  const largest = writtenBytes(Math.max(...files.map(({ bytes }) => bytes)))
  const etag = file.headers.get('etag')
  if (file.headers.size === 0)
    return [...bound, { text: '# resume: true', why: `up to ${largest}; needs a strong ETag and byte ranges` }]
  const isStrong = etag !== undefined && !etag.startsWith('W/')
  const hasRanges = file.headers.get('accept-ranges') === 'bytes'
  if (isStrong && hasRanges)
    return [...bound, { text: 'resume: true', why: `up to ${largest}; strong ETag, byte ranges` }]
  const lacks = isStrong ? 'offers no byte ranges' : 'has no strong ETag'
  return [...bound, { text: '# resume: true', why: `up to ${largest}, but it ${lacks}` }]
}

/** What limits the upstream told of. */
function limitedLines(exchanges: readonly Exchange[]): Line[] {
  const limited = exchanges.filter(({ status }) => status === 429)
  if (limited.length === 0) return []
  const most = mostWithin(
    exchanges.filter(({ status }) => status !== 429),
    60_000,
  )
  return [
    {
      text: `    # rate: { requests: ${Math.max(1, most)}, per: 1m }`,
      why: `${counted(limited.length, 'answer')} of 429; the busiest minute without one had ${most} requests`,
    },
  ]
}

function mostWithin(exchanges: readonly Exchange[], windowMs: number): number {
  const times = exchanges.map(({ atMs }) => atMs).sort((a, b) => a - b)
  let most = 0
  let from = 0
  for (const [i, at] of times.entries()) {
    while (at - (times[from] ?? at) >= windowMs) from += 1
    most = Math.max(most, i - from + 1)
  }
  return most
}

/** Text that another type writes alike, such as "true", stands there as both: the recording may have been made of text alone. */
const list = (values: readonly Scalar[]) => {
  const plain = values.flatMap((value) =>
    typeof value === 'string' && OTHER_TYPE.test(value) ? value.toLowerCase() : [],
  )
  const all = values.map((value) => (typeof value === 'string' ? quoted(value) : String(value)))
  return `[${[...new Set([...all, ...plain])].join(', ')}]`
}

const OTHER_TYPE = /^(?:true|false|null|-?\d+(?:\.\d+)?)$/i

/** As YAML: plain where that is text, else in quotes. */
const quoted = (text: string) =>
  /^[A-Za-z/][\w/-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text)
