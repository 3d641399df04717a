/** Dialogs of the page: the token, a confirmation, and the breaker to force. */

import { element } from './element.js'
import { forcedWords } from './breaker-table.js'
import { breakerName } from './format.js'

/** @import { BreakerMode, BreakerView, UpstreamView } from './shapes.ts' */

/**
 * @param {string} title
 * @param {Node[]} content
 * @param {HTMLButtonElement} yes
 * @returns {Promise<boolean>} true for the button `yes`, false for Escape and Cancel.
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

/** @param {boolean} isRefused whether the sidecar rejected an earlier token. @returns {Promise<string | undefined>} */
export async function askToken(isRefused) {
  const input = element('input', {
    type: 'password',
    name: 'token',
    required: true,
    autocomplete: 'off',
    autofocus: true,
  })
  const content = [
    ...(isRefused ? [element('p', { class: 'trouble' }, 'The token was not accepted.')] : []),
    element('p', {}, 'This sidecar requires the token in control.token. The page keeps it until this tab is closed.'),
    element('label', {}, 'Token', input),
  ]
  const yes = element('button', { value: 'yes' }, 'Continue')
  return (await ask('Token needed', content, yes)) ? input.value : undefined
}

/** @type {readonly (readonly [mode: BreakerMode, label: string, consequence: string])[]} */
const CHOICES = [
  ['auto', 'Automatic', 'The breaker opens and closes by the outcomes of its calls.'],
  ['forced-open', 'Forced open', 'Every call is rejected at once with 503.'],
  ['forced-closed', 'Forced closed', 'Every call goes through, however many fail.'],
  ['observe', 'Observe only', 'The breaker reports when it would open, and lets every call through.'],
]

/** @type {readonly (readonly [value: string, label: string])[]} */
const ENDS = [
  ['10m', 'in 10 minutes'],
  ['30m', 'in 30 minutes'],
  ['2h', 'in 2 hours'],
  ['12h', 'in 12 hours'],
  ['3d', 'in 3 days'],
  ['', 'never by itself'],
]
/** Chosen first: somebody may forget it. */
const USUAL_END = '30m'

/** @typedef {{ readonly mode: BreakerMode, readonly route?: string | null, readonly endpoint?: string, readonly for?: string, readonly reason?: string, readonly by?: string }} Force */

/** @param {UpstreamView} upstream @param {string} who the name that was given last. @param {string | undefined} now @returns {Promise<Force | undefined>} */
export async function askForce({ name, breakers }, who, now) {
  const inputs = CHOICES.map(([value]) => element('input', { type: 'radio', name: 'mode', value, required: true }))
  const modes = CHOICES.map(([, label, consequence], i) =>
    element(
      'label',
      { class: 'choice' },
      inputs[i] ?? '',
      element('span', {}, element('strong', {}, label), ` ${consequence}`),
    ),
  )
  const which = element('select', { name: 'which' }, element('option', { value: '' }, 'all of them'))
  for (const [i, breaker] of breakers.entries())
    which.append(element('option', { value: String(i) }, breakerName(breaker, breakers)))
  const chosenBreakers = () => breakers.filter((_, i) => which.value === '' || which.value === String(i))
  /** Checks the mode of the chosen breakers; no mode when they differ. */
  function checkPresent() {
    for (const input of inputs) input.checked = chosenBreakers().every(({ mode }) => mode === input.value)
  }
  which.addEventListener('change', checkPresent)
  checkPresent()
  const end = element('select', { name: 'end' }, ...ENDS.map(([value, label]) => element('option', { value }, label)))
  end.value = USUAL_END
  const reason = element('input', { name: 'reason', maxlength: 500, autocomplete: 'off' })
  const by = element('input', { name: 'by', maxlength: 100, autocomplete: 'nickname', value: who })
  const terms = element(
    'div',
    { class: 'terms' },
    element('label', {}, 'Automatic again', end),
    element('label', {}, 'Reason', reason),
    element('label', {}, 'Your name', by),
  )
  /** An automatic breaker has no end. */
  function showTerms() {
    terms.hidden = inputs.some((input) => input.checked && input.value === 'auto')
  }
  for (const input of inputs) input.addEventListener('change', showTerms)
  which.addEventListener('change', showTerms)
  showTerms()
  const held = breakers.filter(({ forced }) => forced !== null)
  const content = [
    ...held.map((breaker) =>
      element(
        'p',
        { class: 'held' },
        `${breakerName(breaker, breakers)}: ${breaker.mode.replace('-', ' ')}${forcedWords(breaker, now)}`,
      ),
    ),
    ...(breakers.length > 1 ? [element('label', {}, 'Which breaker', which)] : []),
    element('fieldset', {}, element('legend', {}, 'Mode'), ...modes),
    terms,
  ]
  const yes = element('button', { value: 'yes', class: 'danger' }, 'Set the breaker')
  if (!(await ask(`Force a breaker of ${name}?`, content, yes))) return undefined
  const chosen = CHOICES.find((_, i) => inputs[i]?.checked)
  const [only] = chosenBreakers()
  if (chosen === undefined) return undefined
  const words = {
    ...(reason.value === '' ? {} : { reason: reason.value }),
    ...(by.value === '' ? {} : { by: by.value }),
  }
  const length = chosen[0] === 'auto' || end.value === '' ? {} : { for: end.value }
  return { mode: chosen[0], ...(which.value === '' ? {} : placeOf(only)), ...length, ...words }
}

/** `route` is sent even when it is null (the upstream's own breaker): without the key, every breaker is set. @param {BreakerView | undefined} breaker */
const placeOf = (breaker) => ({
  ...(breaker === undefined ? {} : { route: breaker.route }),
  ...(breaker?.endpoint ? { endpoint: breaker.endpoint } : {}),
})
