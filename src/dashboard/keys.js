/** Shortcuts of the keyboard. None works while somebody types, and none with a modifier. */

/** @typedef {{ readonly key: string, readonly says: string, readonly act: () => void }} Shortcut */

/** Keys of two strokes begin with this one. */
const LEADER = 'g'
/** Time between the two strokes, in ms. */
const WITHIN_MS = 1_500

/** @param {readonly Shortcut[]} shortcuts `g n` is g, then n. */
export function listenForKeys(shortcuts) {
  let leaderMs = Number.NEGATIVE_INFINITY
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
    if (document.querySelector('dialog[open]') !== null) return
    const isSecond = event.timeStamp - leaderMs < WITHIN_MS
    leaderMs = event.key === LEADER && !isSecond ? event.timeStamp : Number.NEGATIVE_INFINITY
    const wanted = isSecond ? `${LEADER} ${event.key}` : event.key
    const found = shortcuts.find(({ key }) => key === wanted)
    if (found === undefined) return
    event.preventDefault()
    found.act()
  })
}

/** @param {EventTarget | null} target */
const isTyping = (target) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName))
