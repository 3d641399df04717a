import type { RequestHead } from '../../http1/head.ts'

/**
 * Protocol that a request asks to switch to, when a gateway can do so. A request with content, with several protocols or with
 * one that is not listed is served as a plain request (RFC 9110 section 7.8).
 * @param listed names in lower case.
 */
export function askedProtocol(
  { upgrade, minor, hasContent }: RequestHead,
  listed: ReadonlySet<string>,
): string | undefined {
  if (upgrade === '' || minor !== 1 || hasContent) return undefined
  return listed.has(upgrade.toLowerCase()) ? upgrade : undefined
}

/** Of the protocols in a response's Upgrade those that a request may ask for. @param listed as for askedProtocol. */
export const passedOn = (upgrade: string, listed: ReadonlySet<string> | undefined): string =>
  upgrade
    .split(',')
    .map((name) => name.trim())
    .filter((name) => listed?.has(name.toLowerCase()))
    .join(', ')
