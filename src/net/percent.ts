/** @returns undefined for text that is not percent-encoded UTF-8 (RFC 3986 section 2.1). */
export function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
