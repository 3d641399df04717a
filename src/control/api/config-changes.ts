/** What changed between two texts of the configuration, without secrets. */

import { type Difference, differences } from '../../config/file/differences.ts'
import type { ConfigChangesView } from '../../dashboard/shapes.ts'
import { masked } from '../log/masked.ts'
import { SECRET, STARS } from './shown-config.ts'

type Versioned = { readonly text: string; readonly version: string }
export type Compared = { readonly from: Versioned; readonly to: Versioned; readonly isRefused: boolean }

/** @param compared undefined when there is but one text. */
export function changesOf(compared: Compared | undefined): ConfigChangesView {
  if (compared === undefined) return { of: 'none', from: '', to: '', changes: [] }
  const { from, to, isRefused } = compared
  return {
    of: isRefused ? 'refused' : 'in force',
    from: from.version,
    to: to.version,
    changes: differences(from.text, to.text)?.map(shown) ?? null,
  }
}

/** Values of header fields, and of settings whose names say so, are secrets. */
const HIDDEN = /(?:^|\.)headers\./

function shown({ path, before, after }: Difference) {
  const isSecret = HIDDEN.test(path) || SECRET.test(path.slice(path.lastIndexOf('.') + 1))
  const safe = (value: string | undefined) => (value === undefined ? null : isSecret ? STARS : masked(value))
  return { path, before: safe(before), after: safe(after) }
}
