import { BlockList, isIP } from 'node:net'
import { isLoopback } from './loopback.ts'

/** Networks that are not part of the Internet (RFC 1918, 3927, 4193, 4291, 6598). */
const INNER = new BlockList()
INNER.addSubnet('10.0.0.0', 8)
INNER.addSubnet('172.16.0.0', 12)
INNER.addSubnet('192.168.0.0', 16)
INNER.addSubnet('169.254.0.0', 16)
INNER.addSubnet('100.64.0.0', 10)
INNER.addSubnet('fc00::', 7, 'ipv6')
INNER.addSubnet('fe80::', 10, 'ipv6')

/** Last labels of names that are not part of the Internet (RFC 2606, 6762, 8375, ICANN's `internal`), and of Kubernetes. */
const INNER_NAMES = /\.(?:corp|home|home\.arpa|internal|intranet|invalid|lan|local|localdomain|private|svc|test)$/

/** Whether a host, without brackets, is reached over the Internet, as far as its name or address says. */
export function isPublicHost(host: string): boolean {
  const name = host.toLowerCase()
  if (isLoopback(name)) return false
  const family = isIP(name)
  if (family !== 0) return !INNER.check(name, family === 6 ? 'ipv6' : 'ipv4')
  return name.includes('.') && !INNER_NAMES.test(name)
}
