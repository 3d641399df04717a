/**
 * An address as X-Forwarded-For writes it: an IPv4 client of an IPv6 socket has its IPv4 address (RFC 4291 section 2.5.5.2).
 */
export const addressShown = (address: string): string => address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
