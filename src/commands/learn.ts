import { readFileSync } from 'node:fs'
import type { Recording } from '../learn/exchange.ts'
import { recordingOfHar } from '../learn/from-har.ts'
import { recordingOfLog } from '../learn/from-log.ts'
import { proposalFor } from '../learn/proposal.ts'
import { command } from './command.ts'
import { linesOf, unreadable } from './log-lines.ts'
import { UsageError } from './usage-error.ts'

export const learnCommand = command({
  name: 'learn',
  usage: `  breakwater learn --har FILE | --log FILE
                                   propose routes, ids, conditions and timeouts for the APIs in a recording, with reasons
      --har FILE                   HTTP Archive 1.2, as browsers and proxies save it: has bodies, so it tells the most
      --log FILE                   access log of a sidecar (- for stdin): routes and times alone
`,
  options: { har: { type: 'string' }, log: { type: 'string' } },
  allowPositionals: false,
  run: async ({ har, log }, _positionals, { write, complain }) => {
    const file = har ?? log
    if (file === undefined || (har !== undefined && log !== undefined))
      throw new UsageError('expected either --har or --log')
    const recording = await readRecording(har === undefined ? 'log' : 'har', file)
    if (typeof recording === 'string') return refuse(`${recording}\n`, complain)
    if (recording.exchanges.length === 0) return refuse(`${file}: has no requests\n`, complain)
    if (recording.unread > 0) complain(`${recording.unread} entries could not be read, and were passed over\n`)
    const { yaml, doubts } = proposalFor(recording, file)
    write(yaml)
    if (doubts !== '') complain(`check has something against it:\n${doubts}`)
    return 0
  },
})

function refuse(text: string, complain: (text: string) => void): number {
  complain(text)
  return 2
}

/** @returns the recording, or why the file is none. */
async function readRecording(kind: 'log' | 'har', file: string): Promise<Recording | string> {
  try {
    if (kind === 'har')
      return (
        recordingOfHar(JSON.parse(readFileSync(file, 'utf8'))) ?? `${file}: is no HTTP Archive: it has no log.entries`
      )
    return await recordingOfLog(linesOf(file))
  } catch (error) {
    return unreadable(file, error)
  }
}
