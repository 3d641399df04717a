/** What a demo came to, in words. */

import { MAX_LATE_S } from './pace.ts'
import type { ToldIncident } from './incidents.ts'
import type { Result } from './story.ts'

/** Whether a run says something about the sidecar: otherwise this machine's lateness counts as the services'. */
const canJudge = (...results: readonly Result[]): boolean => results.every(({ lateS }) => lateS <= MAX_LATE_S)

/** @param page address of the page that shows the run with the sidecar. */
export function ending(direct: Result, sidecar: Result, page: string): string {
  const lateS = Math.max(direct.lateS, sidecar.lateS)
  const isJudged = canJudge(direct, sidecar)
  const warning = `This run cannot judge: the machine is so busy that timers came ${lateS.toFixed(1)} s of the services late, and its lateness counts as theirs. Run it again when the machine is quieter.`
  const sentences = [
    ...(isJudged ? [] : [warning]),
    ...broken(sidecar.incidents, page !== ''),
    `Directly, ${lost(direct)}`,
    `Through breakwater, ${lost(sidecar)} Its breakers opened ${times(sidecar.breakerOpened)}, and ${calls(sidecar.struggling)} reached a service in trouble; directly ${direct.struggling} did.`,
    ...(isJudged ? [comparison(direct, sidecar)] : []),
    ...(page === '' ? [] : [`The page shows it, upstream by upstream: ${page}`]),
  ]
  return sentences.map((sentence) => `${sentence}\n`).join('')
}

/** @param isServed whether the page is there to be read. */
function broken(incidents: readonly ToldIncident[], isServed: boolean): string[] {
  if (incidents.length === 0) return ['What broke: nothing that the sidecar took for an incident.']
  const lines = incidents.map((incident) => `  ${incidentLine(incident)}${isServed ? `\n    ${incident.page}` : ''}`)
  return [
    'What broke, as the sidecar saw it, in seconds of the services. What a retry bridged at once is not listed:',
    ...lines,
  ]
}

function incidentLine({ upstream, summary, causes, cost, fromS, toS, openS }: ToldIncident): string {
  const when = toS - fromS < 1 ? `at ${fromS.toFixed(0)} s` : `from ${fromS.toFixed(0)} s to ${toS.toFixed(0)} s`
  if (upstream === null) return `${when}: ${summary}`
  const why = causes.map(({ count, text }) => `${count} × ${text}`).join(', ')
  const came = `Of its ${cost.requests} requests ${cost.failed} failed, ${cost.refused} were refused and ${cost.saved} were saved by a retry`
  const open = openS === 0 ? '' : `; a breaker was open for ${openS.toFixed(0)} s`
  return `${upstream}, ${when}: ${why === '' ? summary : `${why}. ${came}${open}.`}`
}

function lost({ videos, finished, errors }: Result): string {
  if (videos === finished) return `all ${videos} videos were finished.`
  const causes = [...errors].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${count} at ${kind}`)
  return `${videos - finished} of ${videos} videos were lost: ${causes.join(', ')}.`
}

function comparison(direct: Result, sidecar: Result): string {
  const more = sidecar.finished - direct.finished
  if (more > 0) return `So the same client with the same services finished ${more} more videos.`
  return more === 0
    ? 'So both finished as many videos.'
    : `So it finished ${-more} fewer videos, on a machine that was quiet enough: that is a fault of the sidecar or of its settings.`
}

const calls = (count: number) => (count === 1 ? '1 call' : `${count} calls`)
const times = (count: number) => (count === 1 ? 'once' : `${count} times`)
