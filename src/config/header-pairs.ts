const NAME = /^[!#$%&'*+.^_`|~\w-]+$/
/** Visible ASCII, with spaces between (RFC 9110 section 5.5). */
const VALUE = /^[!-~](?:[ !-~]*[!-~])?$/

/**
 * Header fields as OTEL_EXPORTER_OTLP_HEADERS has them: `name=value,name=value`, values percent-encoded where they must be.
 * @returns none for ''; undefined when it is something else.
 * Source: OpenTelemetry Protocol Exporter, "Specifying headers via environment variables".
 */
export function headerPairs(text: string): (readonly [name: string, value: string])[] | undefined {
  const pairs: (readonly [string, string])[] = []
  for (const part of text.split(',')) {
    if (part.trim() === '') continue
    const at = part.indexOf('=')
    const name = part.slice(0, Math.max(0, at)).trim()
    const written = part.slice(at + 1).trim()
    const value = written.replaceAll(/%([\da-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
    if (!NAME.test(name) || /%(?![\da-f]{2})/i.test(written) || !VALUE.test(value)) return undefined
    pairs.push([name, value])
  }
  return pairs
}
