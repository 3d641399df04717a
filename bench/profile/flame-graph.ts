import { escaped } from '../../src/simulate/report/chart.ts'
import type { Frame } from './samples.ts'

/** Smallest share of the whole at which a frame is drawn: a smaller one is too narrow to see. */
const MIN_SHARE = 0.0005

/** An HTML page: each frame stands below its caller, as wide as its time. A click enlarges a frame to the page's width. */
export const flameGraph = (root: Frame, title: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<h1>${escaped(title)}</h1>
<p>Each frame is as wide as its share of the time, its callees included; they stand below it. Click on a frame to enlarge it, on
(root) to see all again. <span class="ours">src</span> <span class="packages">node_modules</span> <span class="node">Node</span>
<span class="engine">V8</span></p>
${box(root, root.totalMs)}
<script>${SCRIPT}</script>
</html>
`

function box(frame: Frame, wholeMs: number): string {
  const { name, at, selfMs, totalMs, callees } = frame
  const share = `${((100 * totalMs) / wholeMs).toFixed(1)} %, ${totalMs.toFixed(0)} ms, itself ${selfMs.toFixed(0)} ms`
  const drawn = callees.filter((callee) => callee.totalMs >= wholeMs * MIN_SHARE)
  const leftMs = totalMs - drawn.reduce((sum, callee) => sum + callee.totalMs, 0)
  const row = drawn.map((callee) => box(callee, wholeMs)).join('')
  const title = escaped([name, at, share].filter((line) => line !== '').join('\n'))
  return (
    `<div class="frame" style="flex-grow:${totalMs.toFixed(3)}"><b class="${kindOf(frame)}" title="${title}">${escaped(name)}</b>` +
    `<div class="row">${row}<i style="flex-grow:${leftMs.toFixed(3)}"></i></div></div>`
  )
}

function kindOf({ at }: Frame): string {
  if (at === '') return 'engine'
  if (at.startsWith('node:')) return 'node'
  return at.includes('node_modules/') || at.startsWith('wasm:') ? 'packages' : 'ours'
}

const STYLE = `
body { font: 12px/1.5 system-ui, sans-serif; margin: 1rem; color: #222; background: #fff }
h1 { font-size: 1.1rem }
.row { display: flex }
.frame, .row i { flex: 1 1 0; min-width: 0 }
.frame b { display: block; overflow: hidden; white-space: nowrap; font-weight: 400; cursor: pointer; padding-left: 2px;
  height: 1.5em; border: solid #fff; border-width: 0 1px 1px 0; box-sizing: border-box }
.frame.opened > b { opacity: .6 }
.hidden { display: none }
.ours { background: #f7b267 } .packages { background: #a8d5ba } .node { background: #a9c9ea } .engine { background: #ddd }
p span { padding: 0 .4em }
`

const SCRIPT = `
document.addEventListener('click', ({ target }) => {
  if (target.tagName !== 'B') return
  for (const one of document.querySelectorAll('.hidden, .opened')) one.classList.remove('hidden', 'opened')
  for (let frame = target.parentElement; frame.parentElement.classList.contains('row'); ) {
    for (const other of frame.parentElement.children) if (other !== frame) other.classList.add('hidden')
    frame = frame.parentElement.parentElement
    frame.classList.add('opened')
  }
})
`
