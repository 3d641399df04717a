declare module 'autocannon' {
  type Settings = { readonly url: string; readonly connections: number; readonly duration: number }
  type Result = {
    readonly requests: { readonly total: number }
    readonly latency: { readonly p50: number; readonly p99: number }
    readonly non2xx: number
    readonly errors: number
    /** Length in seconds. */
    readonly duration: number
  }
  export default function autocannon(settings: Settings): Promise<Result>
}
