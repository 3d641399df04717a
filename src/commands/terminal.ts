/** A screen with keys, as `top` uses it. */
export type Terminal = {
  readonly write: (text: string) => void
  /** Whether there are keys to read and a screen to draw on. */
  readonly isTerminal: () => boolean
  readonly isColoured: () => boolean
  /** In characters; Infinity where there is no screen. */
  readonly size: () => { readonly columns: number; readonly rows: number }
  readonly onResize: (draw: () => void) => void
  readonly onKey: (pressed: (key: string) => void) => void
  readonly release: () => void
}
