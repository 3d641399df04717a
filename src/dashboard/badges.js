/** An upstream's state, since when, and its failures, in the words of one line: for the page and for the commands. */

import { ago, errorPercent, NONE, recent, share } from './format.js'
import { isAnswered429 } from './situation.js'

/** @import { Standing } from './situation.js' */

/** What a state is called, and how it looks. @type {Readonly<Record<Standing['kind'], readonly [word: string, look: string]>>} */
const BADGES = {
  down: ['down', 'bad'],
  broken: ['broken in part', 'bad'],
  failing: ['failing', 'bad'],
  limited: ['paused (Retry-After)', 'warn'],
  overload: ['overloaded', 'warn'],
  unreachable: ['unreachable', 'warn'],
  slow: ['slow', 'warn'],
  forced: ['forced', 'warn'],
  well: ['well', 'well'],
  quiet: ['not called since', 'calm'],
  idle: ['not called', 'calm'],
}

/** @param {Standing} standing */
export function badgeOf(standing) {
  const { kind, forced } = standing
  const [known, look] = BADGES[kind]
  const word = kind === 'limited' && isAnswered429(standing) ? 'limited (429)' : known
  const modes = [...new Set(forced.map(({ mode }) => mode))]
  const mode = modes[0] === 'observe' ? 'observed only' : (modes[0]?.replace('-', ' ') ?? '')
  if (kind === 'forced') return { words: modes.length === 1 ? mode : 'forced', look }
  return { words: modes.length === 0 ? word : `${word}, ${modes.length === 1 ? mode : 'forced'}`, look }
}

/** How long it has been so. @param {string} at @param {string | undefined} now */
export const passedSince = (at, now) =>
  now === undefined ? recent(at, now) : `for ${ago(Math.max(0, (Date.parse(now) - Date.parse(at)) / 1000))}`

/** Failures and refusals are two things. @param {{ readonly requests: number, readonly failed: number, readonly refused: number }} minute */
export function failedWords({ requests, failed, refused }) {
  if (requests === 0) return NONE
  const tried = share(errorPercent({ requests, failed: failed - refused }))
  return refused === 0 ? tried : `${tried} + ${share(errorPercent({ requests, failed: refused }))} refused`
}
