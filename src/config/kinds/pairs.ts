/** Lists of `name=value,name=value`, values percent-encoded where they must be, as OpenTelemetry's environment variables have them. */

import { percentDecoded } from '../../net/percent.ts'

/** A token (RFC 9110 section 5.6.2). */
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/
/** Visible ASCII, with spaces between (RFC 9110 section 5.5). */
const HEADER_VALUE = /^[!-~](?:[ !-~]*[!-~])?$/
const ATTRIBUTE_NAME = /^[\w./-]{1,256}$/
const ATTRIBUTE_VALUE = /^\P{Cc}{1,1024}$/u

export type Pairs = readonly (readonly [name: string, value: string])[]

/**
 * Header fields as OTEL_EXPORTER_OTLP_HEADERS has them.
 * @returns none for ''; undefined when it is something else.
 * Source: OpenTelemetry Protocol Exporter, "Specifying headers via environment variables".
 */
export function headerPairs(text: string): Pairs | undefined {
  return pairs(text, HEADER_NAME, HEADER_VALUE)
}

/**
 * Attributes as OTEL_RESOURCE_ATTRIBUTES has them.
 * @returns none for ''; undefined when it is something else.
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
