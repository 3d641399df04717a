/** Numbers of many rows, column by column: a million rows of twelve take 96 MB instead of ten times that as objects. */
export class Columns<Name extends string> {
  readonly #columns: Map<Name, Float64Array>
  length = 0

  constructor(names: readonly Name[]) {
    this.#columns = new Map(names.map((name) => [name, new Float64Array(1024)]))
  }

  push(row: Readonly<Record<Name, number>>): void {
    for (const [name, column] of this.#columns) {
      const roomy = this.length < column.length ? column : doubled(column)
      if (roomy !== column) this.#columns.set(name, roomy)
      roomy[this.length] = row[name]
    }
    this.length += 1
  }

  at(row: number, name: Name): number {
    return this.#columns.get(name)?.[row] ?? Number.NaN
  }

  set(row: number, name: Name, value: number): void {
    const column = this.#columns.get(name)
    if (column !== undefined) column[row] = value
  }

  /** Row numbers in the order of a column; equal rows keep their order. */
  sortedBy(name: Name): Uint32Array {
    const column = this.#columns.get(name) ?? new Float64Array(0)
    const order = Uint32Array.from({ length: this.length }, (_, row) => row)
    return order.sort((a, b) => (column[a] ?? 0) - (column[b] ?? 0) || a - b)
  }
}

function doubled(column: Float64Array): Float64Array {
  const larger = new Float64Array(column.length * 2)
  larger.set(column)
  return larger
}

/** Distinct values, each with a number. */
export class Interned<V> {
  readonly #numbers = new Map<string, number>()
  readonly #values: V[] = []

  /** @param make called for a new key. */
  number(key: string, make: () => V): number {
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    this.#values.push(make())
    this.#numbers.set(key, this.#values.length - 1)
    return this.#values.length - 1
  }

  value(number: number): V | undefined {
    return this.#values[number]
  }

  get values(): readonly V[] {
    return this.#values
  }
}
