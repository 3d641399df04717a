import type { Fault } from '../fault.ts'
import { jobs } from './jobs.ts'
import { limits } from './limits.ts'
import { loads } from './loads.ts'
import { neighbours } from './neighbours.ts'
import { restarts } from './restarts.ts'
import { slows } from './slow.ts'

/** Every fault, in the order of the table. */
export const FAULTS: readonly Fault[] = [...restarts, ...limits, ...slows, ...neighbours, ...jobs, ...loads]
