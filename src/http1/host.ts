import { COLON, DIGIT, HOST_NAME, skip } from './chars.ts'

/** At most one port; digits only, and possibly none (RFC 3986 section 3.2.3). */
const HOST = /^(?:\[([0-9a-f:.]+)\]|(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})*)(?::(\d*))?$/i

const MAX_PORT = 65_535

/**
 * Whether it is a valid value of Host: `uri-host [ ":" port ]` (RFC 9112 section 3.2). Empty is valid: the target has no
 * authority. User information is not, and neither is the address form for future IP versions, which nobody uses.
 * @param at index in `bytes` where the same text begins: a usual name is checked there, which is ten times as fast.
 */
export function isValidHost(host: string, bytes: Buffer, at: number): boolean {
  const end = at + host.length
  const nameEnd = skip(bytes, at, end, HOST_NAME)
  if (nameEnd === end || (bytes[nameEnd] === COLON && hasSmallPort(bytes, nameEnd + 1, end))) return true
  const match = HOST.exec(host)
  if (match === null) return false
  const [, address, port] = match
  if (address !== undefined && !isIpv6(address)) return false
  return port === undefined || Number(port) <= MAX_PORT
}

/** Whether the rest is a port of at most four digits, so that its value does not matter. */
const hasSmallPort = (bytes: Buffer, at: number, end: number) => end - at < 5 && skip(bytes, at, end, DIGIT) === end

/** RFC 3986 section 3.2.2, IPv6address: eight groups, or fewer with one `::`; the last two may be an IPv4 address. */
function isIpv6(address: string): boolean {
  const [head = '', tail, ...more] = address.split('::')
  if (more.length > 0) return false
  const before = groupsOf(head, tail === undefined)
  const after = tail === undefined ? 0 : groupsOf(tail, true)
  if (before < 0 || after < 0) return false
  return tail === undefined ? before === 8 : before + after < 8
}

const GROUP = /^[0-9a-f]{1,4}$/i
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/** Number of groups of 16 bits in a part of an IPv6 address; -1 when it is not valid. */
function groupsOf(part: string, mayEndInIpv4: boolean): number {
  if (part === '') return 0
  const groups = part.split(':')
  let count = 0
  for (const [index, group] of groups.entries()) {
    if (GROUP.test(group)) count += 1
    else if (mayEndInIpv4 && index === groups.length - 1 && IPV4.test(group)) count += 2
    else return -1
  }
  return count
}
