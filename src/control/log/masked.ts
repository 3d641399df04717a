/** Text without the user information of URLs (RFC 3986 section 3.2.1). */
export const masked = (text: string) => text.replaceAll(/\/\/[^\s/?#]+@/g, '//***@')
