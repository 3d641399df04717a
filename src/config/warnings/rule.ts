/** Scopes of the rules that belong to no policy. */

import type { Inputs } from '../../job/timeouts.ts'
import type { Finding, RouteScope, UpstreamScope } from '../../policy/scope.ts'
import type { ServicePolicies } from '../../policy/policies.ts'
import type { Path } from '../file/source.ts'
import type { Config, UpstreamConfig } from '../schema.ts'
import type { RouteValues } from '../upstream.ts'

/** The whole file. */
export type FileScope = { readonly config: Config }

/** Size in bytes of the file system of a path on this machine; infinite when that is not known. */
export type DiskBytes = (path: string) => number

export type ServiceScope = FileScope & { readonly diskBytes: DiskBytes }

export type FileUpstreamScope = UpstreamScope<UpstreamConfig> & FileScope

export type FileRouteScope = RouteScope<RouteValues, UpstreamConfig, ServicePolicies> &
  FileScope & {
    /** The file's text of a setting, at the route or above it, before references are replaced; undefined for a default. */
    readonly writtenAt: (setting: Path) => string | undefined
  }

export type NamedRules<Scope> = readonly (readonly [name: string, look: (scope: Scope) => Finding | undefined])[]

export const defaultInputs = ({ job }: Config): Inputs =>
  Object.fromEntries(job.inputs.map(({ name, byDefault }) => [name, byDefault]))
