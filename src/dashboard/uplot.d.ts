import type Plot from 'uplot'

declare global {
  /** Of /page/uplot.js, which is no module. */
  const uPlot: typeof Plot
}
