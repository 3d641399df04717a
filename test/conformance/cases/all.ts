import type { Group } from '../case.ts'
import { broken } from './broken.ts'
import { chunkedBodies } from './chunked.ts'
import { contentLength } from './content-length.ts'
import { expectation } from './expect.ts'
import { fields } from './fields.ts'
import { format } from './format.ts'
import { hopByHop } from './hop-by-hop.ts'
import { host } from './host.ts'
import { interimAndEarly } from './interim.ts'
import { limits } from './limits.ts'
import { persistence } from './persistence.ts'
import { pipelining } from './pipelining.ts'
import { responseFraming } from './response-framing.ts'
import { responses } from './responses.ts'
import { smuggling } from './smuggling.ts'
import { target } from './target.ts'
import { upgrades } from './upgrades.ts'

/** All cases, in the order of the report. */
export const GROUPS: readonly Group[] = [
  format,
  target,
  host,
  fields,
  limits,
  contentLength,
  chunkedBodies,
  smuggling,
  pipelining,
  persistence,
  expectation,
  upgrades,
  hopByHop,
  responses,
  responseFraming,
  interimAndEarly,
  broken,
]
