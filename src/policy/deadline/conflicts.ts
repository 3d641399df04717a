import type { Length } from '../../config/kinds/length.ts'
import { isObserved, type ObservedLength } from '../observe/settings.ts'
import type { Conflict, Names } from '../scope.ts'
import type { DeadlineSettings } from './settings.ts'

/** Conflicts of computed timeouts: unknown rule or input, and bounds in the wrong order. */
export const deadlineConflicts = ({ timeout }: DeadlineSettings, names: Names): Conflict[] =>
  Object.entries(timeout).flatMap(([name, length]) => conflictsOf(['timeout', name.replace(/Ms$/, '')], length, names))

function conflictsOf(path: readonly string[], length: Length | ObservedLength, names: Names): Conflict[] {
  if (typeof length === 'number') return []
  if (isObserved(length)) {
    const isTooLong = typeof length.maxMs === 'number' && length.minMs > length.maxMs
    return [
      ...conflictsOf([...path, 'max'], length.maxMs, names),
      ...(isTooLong ? [{ path: [...path, 'min'], message: 'is longer than max' }] : []),
    ]
  }
  const { computed, divideBy } = length
  return [
    ...(names.computed.includes(computed) ? [] : [{ path: [...path, 'computed'], message: 'no such timeout' }]),
    ...(divideBy === undefined || names.inputs.includes(divideBy)
      ? []
      : [{ path: [...path, 'divideBy'], message: 'no such input in job.inputs' }]),
  ]
}
