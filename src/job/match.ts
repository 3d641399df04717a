/** Reads the path segment that a route's `match` gives a name, as sent; undefined when the match has no such name. */
export function segmentNamed(match: string, name: string): (path: string) => string | undefined {
  const at = match
    .slice(match.indexOf(' ') + 1)
    .split('/')
    .indexOf(`{${name}}`)
  return (path) => (at < 0 ? undefined : path.split('/')[at])
}
