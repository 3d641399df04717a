/** Makes and updates elements, without a framework. No HTML is made from strings: data can never become markup. */

/** @typedef {Record<string, string | number | boolean | undefined | ((event: Event) => void)>} Properties */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} [properties] attributes, and listeners as `onclick`; false and undefined are left out.
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value)
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : String(value))
  }
  made.append(...children)
  return made
}

/** Sets the text of a node. An equal text leaves the document untouched. @param {Element} node @param {string} text */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text
}

/** @param {Element} node @param {string} name @param {string} value */
export function mark(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value)
}

/** @template Item @typedef {{ readonly root: HTMLElement, readonly update: (item: Item) => void }} Part */

/** @type {WeakMap<Element, Map<string, Part<any>>>} */
const parts = new WeakMap()

/**
 * Gives `parent` one child for each of `items`, in their order. A child whose key exists is updated, not made again.
 * @template Item
 * @param {Element} parent
 * @param {readonly Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => Part<Item>} make
 */
export function keyed(parent, items, keyOf, make) {
  /** @type {Map<string, Part<Item>>} */
  const before = parts.get(parent) ?? new Map()
  /** @type {Map<string, Part<Item>>} */
  const after = new Map()
  for (const item of items) {
    const key = keyOf(item)
    const part = before.get(key) ?? make(item)
    part.update(item)
    after.set(key, part)
  }
  for (const [key, { root }] of before) if (!after.has(key)) root.remove()
  const held = document.activeElement
  let next = parent.firstElementChild
  for (const { root } of after.values()) {
    if (root === next) next = next.nextElementSibling
    else parent.insertBefore(root, next)
  }
  if (held instanceof HTMLElement && held !== document.activeElement) held.focus({ preventScroll: true }) // an element that is moved loses the focus
  parts.set(parent, after)
}
