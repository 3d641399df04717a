/** A reload in the log and in the metrics. */

import type { Logger } from 'pino'
import { Counter, Gauge } from 'prom-client'
import type { ReloadFault, ReloadReport } from '../../events.ts'
import type { AnyRegistry } from '../metrics/gauges.ts'
import { masked } from './masked.ts'
import { METRICS } from '../metrics/metric-table.ts'

/** Largest number of faults in one line of the log. */
const MAX_FAULTS = 50

export function writeReload(logger: Logger, report: ReloadReport): void {
  const { trigger, outcome, version, faults, changes, restartNeeded } = report
  const about = { trigger, version: version || undefined }
  if (outcome === 'refused') {
    const lines = faults.slice(0, MAX_FAULTS).map(faultLine)
    const more = faults.length - lines.length || undefined
    return logger.error({ ...about, faults: lines, more_faults: more }, 'configuration refused')
  }
  if (trigger === 'start') return logger.info(about, 'configuration in force')
  logger.info({ ...about, ...changes }, 'configuration reloaded')
  if (restartNeeded.length > 0) logger.warn({ ...about, keys: restartNeeded }, 'restart needed')
}

/** A fault as `check` prints it, without the line of the file, which may hold a secret. */
export function faultLine({ line, column, path, message }: ReloadFault): string {
  return masked([line === undefined ? '' : `${line}:${column}`, path, message].filter((part) => part !== '').join(': '))
}

export function countReloads(registry: AnyRegistry): (report: ReloadReport) => void {
  const registers = [registry]
  const successful = new Gauge({ ...METRICS.reloadSuccessful, registers })
  const reloads = new Counter({ ...METRICS.reloads, registers })
  const reloadedAt = new Gauge({ ...METRICS.reloadedAt, registers })
  const info = new Gauge({ ...METRICS.configInfo, registers })
  successful.set(1)
  return ({ trigger, outcome, version, at }) => {
    if (trigger !== 'start') reloads.inc({ trigger, outcome })
    successful.set(outcome === 'applied' ? 1 : 0)
    if (outcome !== 'applied') return
    reloadedAt.set(at / 1000)
    info.reset()
    info.set({ version }, 1)
  }
}
