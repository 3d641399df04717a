/** The route that a request meets, with its settings and the lines they stand on. */

import type { Origins } from '../config/file/origins.ts'
import type { Config, RouteConfig, UpstreamConfig } from '../config/schema.ts'
import type { Path } from '../config/file/source.ts'
import type { Inputs } from '../job/timeouts.ts'

/** What one setting does. */
export type Part = {
  readonly says: string
  /** As it stands in the file, or would. */
  readonly setting: string
  /** null for a default. */
  readonly line: number | null
}

/** What a route is, or what holds for requests that match none. */
export type Scope = {
  readonly config: Config
  readonly upstream: UpstreamConfig
  readonly route: Omit<RouteConfig, 'match'>
  readonly match: string | undefined
  readonly method: string
  readonly inputs: Inputs
  /** Tells a setting with its line. @param setting keys joined by dots, from the route on. */
  readonly part: (setting: string, says: string) => Part
}

export const partOf =
  (origins: Origins, scope: Path) =>
  (setting: string, says: string): Part => {
    const path = [...scope, ...setting.split('.')]
    const origin = origins.of(path)
    return { says, setting: (origin?.path ?? path).map(String).join('.'), line: origin?.line ?? null }
  }
