/**
 * Repeatable numbers uniform in [0, 1), 32 bits each: xoshiro128** (Blackman and Vigna, "Scrambled Linear Pseudorandom Number
 * Generators", ACM Transactions on Mathematical Software 47, 2021), seeded by the finaliser of MurmurHash3 over a Weyl
 * sequence.
 */
export function seeded(seed: number): () => number {
  let weyl = seed >>> 0
  const word = () => {
    weyl = (weyl + 0x9e3779b9) >>> 0
    let mixed = weyl ^ (weyl >>> 16)
    mixed = Math.imul(mixed, 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  }
  return generator(word(), word(), word(), word())
}

/** The generator, from four words of state that are not all 0. */
export function generator(a: number, b: number, c: number, d: number): () => number {
  let [s0, s1, s2, s3] = [a, b, c, d]
  return () => {
    const result = Math.imul(rotated(Math.imul(s1, 5), 7), 9) >>> 0
    const shifted = s1 << 9
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = rotated(s3, 11)
    return result / 2 ** 32
  }
}

const rotated = (word: number, by: number) => (word << by) | (word >>> (32 - by))

/** From an exponential distribution with that mean: gaps of a Poisson process. */
export const exponential = (mean: number, random: () => number): number => -mean * Math.log(1 - random())

/** From the standard normal distribution. Source: Box and Muller, Annals of Mathematical Statistics 29, 1958. */
export const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
