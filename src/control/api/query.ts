/** The query of a control call. `URLSearchParams` would replace what is no UTF-8, so that another value is meant. */

import { percentDecoded } from '../../net/percent.ts'
import { Refusal } from './operation.ts'

/** @throws Refusal that names the parameter whose percent-encoded bytes are not UTF-8. */
export function queryOf(text: string): URLSearchParams {
  const asked = new URLSearchParams(text)
  const names = [...asked.keys()]
  for (const [i, pair] of text
    .split('&')
    .filter((part) => part !== '')
    .entries()) {
    // A percent sign that begins no escape is read as itself.
    const escaped = pair.replaceAll(/%(?![\da-f]{2})/gi, '%25')
    const name = names[i] ?? ''
    if (percentDecoded(escaped) === undefined) throw new Refusal(400, `${name}: is not UTF-8`, name)
  }
  return asked
}
