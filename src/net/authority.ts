/** Whether a text is a name or an address, perhaps with a port (RFC 3986 section 3.2, without user information). */
export const isAuthority = (text: string): boolean =>
  /^(?:\[[\da-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})+)(?::\d*)?$/i.test(text)
