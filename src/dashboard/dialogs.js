/** What the page asks its reader: a token, whether to go on, which breaker to force and how. */

import { element } from './element.js'
import { breakerName } from './format.js'

/** @import { BreakerMode, BreakerView, UpstreamView } from './shapes.ts' */

/**
 * @param {string} title
 * @param {Node[]} content
 * @param {HTMLButtonElement} yes
 * @returns {Promise<boolean>} whether `yes` was chosen; Escape and Cancel do not.
 */
function ask(title, content, yes) {
  return new Promise((resolve) => {
    const cancel = element('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, 'Cancel')
    const form = element(
      'form',
      { method: 'dialog' },
      element('h2', { id: 'dialog-title' }, title),
      ...content,
      element('div', { class: 'buttons' }, cancel, yes),
    )
    const dialog = element('dialog', { 'aria-labelledby': 'dialog-title' }, form)
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue === 'yes')
    })
    document.body.append(dialog)
    dialog.showModal()
  })
}

/** @param {string} title @param {string} consequence @param {string} yes */
export const confirmed = (title, consequence, yes) =>
  ask(title, [element('p', {}, consequence)], element('button', { value: 'yes', class: 'danger' }, yes))

/** @param {boolean} isRefused whether one was given, and not accepted. @returns {Promise<string | undefined>} */
export async function askToken(isRefused) {
  const input = element('input', {
    type: 'password',
    name: 'token',
    required: true,
    autocomplete: 'off',
    autofocus: true,
  })
  const told = [
    ...(isRefused ? [element('p', { class: 'trouble' }, 'The token was not accepted.')] : []),
    element(
      'p',
      {},
      'This sidecar asks for the token of control.token. It is kept in this tab until the tab is closed.',
    ),
    element('label', {}, 'Token', input),
  ]
  const yes = element('button', { value: 'yes' }, 'Continue')
  return (await ask('Token needed', told, yes)) ? input.value : undefined
}

/** @type {readonly (readonly [mode: BreakerMode, label: string, consequence: string])[]} */
const CHOICES = [
  ['auto', 'Automatic', 'It opens and closes by what its calls come to.'],
  ['forced-open', 'Forced open', 'Every call is refused at once with 503, until you set it back.'],
  ['forced-closed', 'Forced closed', 'Every call goes through, however many fail, until you set it back.'],
  ['observe', 'Observe only', 'It says when it would open, and lets every call through.'],
]

/** @typedef {{ readonly mode: BreakerMode, readonly route?: string, readonly endpoint?: string }} Force */

/** @param {UpstreamView} upstream @returns {Promise<Force | undefined>} */
export async function askForce({ name, breakers }) {
  const now = breakers[0]?.mode ?? 'auto'
  const modes = CHOICES.map(([mode, label, consequence]) =>
    element(
      'label',
      { class: 'choice' },
      element('input', { type: 'radio', name: 'mode', value: mode, checked: mode === now }),
      element('span', {}, element('strong', {}, label), ` ${consequence}`),
    ),
  )
  const which = element('select', { name: 'which' }, element('option', { value: '' }, 'all of them'))
  for (const [i, breaker] of breakers.entries())
    which.append(element('option', { value: String(i) }, breakerName(breaker)))
  const content = [
    ...(breakers.length > 1 ? [element('label', {}, 'Which breaker', which)] : []),
    element('fieldset', {}, element('legend', {}, 'Mode'), ...modes),
  ]
  const yes = element('button', { value: 'yes', class: 'danger' }, 'Set the breaker')
  if (!(await ask(`Force a breaker of ${name}?`, content, yes))) return undefined
  const chosen = modes.findIndex((label) => label.querySelector('input')?.checked)
  const mode = CHOICES[chosen]?.[0] ?? now
  const breaker = which.value === '' ? undefined : breakers[Number(which.value)]
  return { mode, ...placeOf(breaker) }
}

/** @param {BreakerView | undefined} breaker */
const placeOf = (breaker) => ({
  ...(breaker?.route ? { route: breaker.route } : {}),
  ...(breaker?.endpoint ? { endpoint: breaker.endpoint } : {}),
})
