import { assertControlExposure, type ControlPlane } from '../control/control-plane.ts'
import type { Observers } from '../control/observers.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { DataPlane } from '../runtime/data-plane.ts'
import type { Given } from './config-thread.ts'
import type { Reloads } from './reloads.ts'

type Parts = {
  readonly data: DataPlane
  readonly control: ControlPlane
  readonly observers: Observers
  readonly life: Lifecycle
}

/**
 * Prepares both planes for a configuration, then activates both or abandons both.
 * @throws Error, with nothing changed, when one cannot be prepared or the sidecar is draining; before any listener is opened
 * when the control listener would lack its token.
 */
export async function putInForce(
  wanted: Given,
  { data, control, observers, life }: Parts,
  reloads: Reloads,
): Promise<void> {
  assertControlExposure(wanted.config.control)
  const next = await data.prepare(wanted.config)
  const terms = await control.prepare(wanted, next.looks, reloads).catch(async (error: unknown) => {
    await next.abandon()
    throw error
  })
  if (life.isDraining) {
    await terms.abandon()
    await next.abandon()
    throw new Error('the sidecar is draining')
  }
  next.activate()
  terms.activate()
  observers.tellWarnings(wanted.warnings)
}
