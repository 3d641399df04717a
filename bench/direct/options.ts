import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { UsageError } from '../options.ts'

export type Options = {
  /** Text that the names of the faults to play contain. */
  readonly only: string
  /** Checkout whose sidecar is measured. */
  readonly root: string
  readonly scale: number
}

/** @throws UsageError for an unknown option or value. */
export function readOptions(argv: readonly string[]): Options {
  const { only, sidecar, scale } = parsed(argv)
  const root = resolve(sidecar)
  if (!existsSync(join(root, 'bin/breakwater.js'))) throw new UsageError(`--sidecar: ${root} has no bin/breakwater.js`)
  const factor = Number(scale)
  if (!(factor > 0 && Number.isFinite(factor))) throw new UsageError(`--scale: expected a number above 0, got ${scale}`)
  return { only, root, scale: factor }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        only: { type: 'string', default: '' },
        sidecar: { type: 'string', default: join(import.meta.dirname, '../..') },
        scale: { type: 'string', default: '1' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
