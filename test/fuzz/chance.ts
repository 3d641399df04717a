import { seeded } from '../support/virtual.ts'

/** Seeded random draws. A fork does not depend on earlier draws, so one part of a run can be repeated alone. */
export type Chance = {
  /** A whole number from `least` to `most`. */
  readonly between: (least: number, most: number) => number
  readonly oneOf: <T>(list: readonly T[]) => T
  readonly often: (probability: number) => boolean
  readonly fork: (label: string | number) => Chance
}

export function chance(seed: number): Chance {
  const random = seeded(seed)
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  return {
    between,
    oneOf: (list) => {
      const one = list[between(0, list.length - 1)]
      if (one === undefined) throw new Error('there is nothing to choose from')
      return one
    },
    often: (probability) => random() < probability,
    fork: (label) => chance(mixed(seed, String(label))),
  }
}

/** FNV-1a over the seed and the label. */
function mixed(seed: number, label: string): number {
  let hash = 0x811c9dc5
  for (const character of `${seed}:${label}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return hash >>> 0
}
