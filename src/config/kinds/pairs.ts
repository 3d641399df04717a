/** Lists of `name=value,name=value` with percent-encoded values, as in OpenTelemetry's environment variables. */

import { percentDecoded } from '../../net/percent.ts'

/** A token (RFC 9110 section 5.6.2). */
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/
/** Visible ASCII, with spaces between (RFC 9110 section 5.5). */
const HEADER_VALUE = /^[!-~](?:[ !-~]*[!-~])?$/
const ATTRIBUTE_NAME = /^[\w./-]{1,256}$/
const ATTRIBUTE_VALUE = /^\P{Cc}{1,1024}$/u

export type Pairs = readonly (readonly [name: string, value: string])[]

/**
 * Header fields in the form of OTEL_EXPORTER_OTLP_HEADERS.
 * @returns none for ''; undefined for text of another form.
 * Source: OpenTelemetry Protocol Exporter, "Specifying headers via environment variables".
 */
export function headerPairs(text: string): Pairs | undefined {
  return pairs(text, HEADER_NAME, HEADER_VALUE)
}

/**
 * Attributes in the form of OTEL_RESOURCE_ATTRIBUTES.
 * @returns none for ''; undefined for text of another form.
 * Source: OpenTelemetry Resource SDK, "Specifying resource information via an environment variable".
 */
export function attributePairs(text: string): Pairs | undefined {
  return pairs(text, ATTRIBUTE_NAME, ATTRIBUTE_VALUE)
}

function pairs(text: string, names: RegExp, values: RegExp): Pairs | undefined {
  const found: (readonly [string, string])[] = []
  for (const part of text.split(',')) {
    if (part.trim() === '') continue
    const at = part.indexOf('=')
    const name = part.slice(0, Math.max(0, at)).trim()
    const value = percentDecoded(part.slice(at + 1).trim())
    if (value === undefined || !names.test(name) || !values.test(value)) return undefined
    found.push([name, value])
  }
  return found
}
