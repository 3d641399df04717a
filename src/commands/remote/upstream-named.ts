import { suggestion } from '../../config/file/suggest.ts'
import type { Api } from '../../dashboard/api.js'
import type { UpstreamView } from '../../dashboard/shapes.ts'
import { Refused } from './sidecar.ts'

/** @throws Refused for a name that no upstream has, with the one that may be meant. */
export async function upstreamNamed(name: string, api: Api, signal: AbortSignal): Promise<UpstreamView> {
  const { upstreams }: { upstreams: UpstreamView[] } = await api.get('v1/upstreams', signal)
  const found = upstreams.find((one) => one.name === name)
  if (found !== undefined) return found
  const names = upstreams.map((one) => one.name)
  const meant = suggestion(name, names)
  const hint = meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`
  throw new Refused(`there is no upstream ${name}; ${hint}`)
}
