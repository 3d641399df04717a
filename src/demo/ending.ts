/** What a demo came to, in words. */

import { MAX_LATE_S } from './pace.ts'
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
    `What broke: the services restarted ${times(direct.restarts)} and ${times(sidecar.restarts)}, reset connections, answered 429 and 503, and the transcriber had no workers for 15 s and then for two minutes of its time.`,
    `Directly, ${lost(direct)}`,
    `Through breakwater, ${lost(sidecar)} Its breakers opened ${times(sidecar.breakerOpened)}, and ${sidecar.struggling} calls reached a service in trouble, where directly it were ${direct.struggling}.`,
    ...(isJudged ? [comparison(direct, sidecar)] : []),
    ...(page === '' ? [] : [`The page shows it, upstream by upstream: ${page}`]),
  ]
  return sentences.map((sentence) => `${sentence}\n`).join('')
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

const times = (count: number) => (count === 1 ? 'once' : `${count} times`)
