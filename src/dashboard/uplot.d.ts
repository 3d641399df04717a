import type Plot from 'uplot'

declare global {
  /** Declares /page/uplot.js, which is not a module. */
  const uPlot: typeof Plot
}
