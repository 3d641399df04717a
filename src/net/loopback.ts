import { BlockList, isIPv6 } from 'node:net'

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8)
LOOPBACK.addAddress('::1', 'ipv6')

/** Whether a host of a configuration or a URL is this machine's loopback (names: RFC 6761 section 6.3). */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase()
  return name === 'localhost' || name.endsWith('.localhost') || LOOPBACK.check(name, isIPv6(name) ? 'ipv6' : 'ipv4')
}

/** The host of a `Host` field (RFC 9110 section 7.2), without port and brackets; empty when it is malformed. */
export function hostname(field: string): string {
  const [, six, name = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(field) ?? []
  return six ?? name
}
