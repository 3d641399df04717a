/**
 * Limits retries to a share of requests, so that retries cannot multiply an outage. Each request makes a deposit that lives for
 * `windowMs`, each retry costs `1 / ratio` deposits, and a reserve lets an upstream with little traffic have some retries.
 * Source: retry budgets of tower (`TpsBudget`) and Finagle; ten slots as in tower.
 */

export type BudgetSettings = {
  /** Retries allowed per request, 0 to 1. With 0 there is only the reserve. */
  readonly ratio: number
  /** Retries per second that are allowed whatever the traffic. */
  readonly minPerSecond: number
  readonly windowMs: number
}

const SLOTS = 10

/** Deposits less withdrawals of the last window in ten slots. `tick` numbers the newest slot. */
export type Budget = { tick: number; readonly balances: number[] }

export const freshBudget = (): Budget => ({ tick: 0, balances: new Array(SLOTS).fill(0) })

export function deposit(budget: Budget, now: number, settings: BudgetSettings): void {
  expire(budget, now, settings)
  if (settings.ratio > 0) add(budget, 1)
}

/** Takes the price of one retry. @returns false, and takes nothing, when the balance is too low. */
export function withdraw(budget: Budget, now: number, settings: BudgetSettings): boolean {
  if (retriesLeft(budget, now, settings) < 1) return false
  add(budget, -price(settings))
  return true
}

/** Whole retries that the budget allows now. */
export function retriesLeft(budget: Budget, now: number, settings: BudgetSettings): number {
  expire(budget, now, settings)
  const balance = budget.balances.reduce((sum, slot) => sum + slot, 0)
  const reserve = settings.minPerSecond * (settings.windowMs / 1000) * price(settings)
  // Prices such as 1 / 0.3 are not exact in binary: a balance just below a whole retry counts as that retry.
  return Math.max(0, Math.floor((reserve + balance) / price(settings) + 1e-9))
}

/** Price of one retry in deposits. With a ratio of 0 there are no deposits, and the reserve counts in retries. */
const price = ({ ratio }: BudgetSettings) => (ratio > 0 ? 1 / ratio : 1)

/** The same balance for a window of another length, as if all of it had been deposited now. */
export function moved(budget: Budget, now: number, from: BudgetSettings, to: BudgetSettings): Budget {
  expire(budget, now, from)
  const fresh = freshBudget()
  expire(fresh, now, to)
  add(
    fresh,
    budget.balances.reduce((sum, slot) => sum + slot, 0),
  )
  return fresh
}

function add(budget: Budget, amount: number): void {
  const slot = budget.tick % SLOTS
  budget.balances[slot] = (budget.balances[slot] ?? 0) + amount
}

function expire(budget: Budget, now: number, settings: BudgetSettings): void {
  const tick = Math.floor(now / (settings.windowMs / SLOTS))
  const passed = Math.min(tick - budget.tick, SLOTS)
  for (let i = 1; i <= passed; i += 1) budget.balances[(budget.tick + i) % SLOTS] = 0
  if (passed > 0) budget.tick = tick
}
