/** Elements of index.html by their id. */

/** @template {HTMLElement} E @param {string} id @param {new () => E} kind @returns {E} */
export function place(id, kind) {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`)
  return found
}
