/** Reads the query of a control call. `URLSearchParams` alone would replace bytes that are not UTF-8 and change the value. */

import { percentDecoded } from '../../net/percent.ts'
import { Refusal } from './operation.ts'

/** @throws Refusal that names the parameter with bytes that are not UTF-8. */
export function queryOf(text: string): URLSearchParams {
  const asked = new URLSearchParams(text)
  const names = [...asked.keys()]
  for (const [i, pair] of text
    .split('&')
    .filter((part) => part !== '')
    .entries()) {
    // A percent sign without an escape stands for itself.
    const escaped = pair.replaceAll(/%(?![\da-f]{2})/gi, '%25')
    const name = names[i] ?? ''
    if (percentDecoded(escaped) === undefined) throw new Refusal(400, `${name}: is not UTF-8`, name)
  }
  return asked
}
