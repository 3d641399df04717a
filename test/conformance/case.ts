import type { Ending, Message } from './message.ts'

/** One thing that is done on a connection, in order. Text is latin1 and goes out as it is. */
export type Step =
  | string
  /** Sends these bytes one by one. */
  | { readonly bytewise: string }
  /** Waits until the client has received this text. */
  | { readonly clientHas: string }
  /** Waits until the upstream has received this text, on any connection. */
  | { readonly upstreamHas: string }
  /** Waits until that many of the upstream's connections are closed. */
  | { readonly upstreamClosed: number }
  /** Lets that many turns of the event loop pass, in which a proxy in this process may do what it should not do. */
  | { readonly turns: number }
  /** Sends FIN. */
  | 'FIN'
  /** Sends RST. */
  | 'RST'

/** The upstream's steps for one request: from when it is whole, or `early`: from its head on. */
export type Reply = readonly Step[] | { readonly early: readonly Step[] }

export type Case = {
  /** Where the requirement stands: `RFC 9112 6.1`. */
  readonly section: string
  readonly name: string
  /** The RFCs leave this open, and the sidecar's own rule is tested. Peers are not judged by it. */
  readonly ours?: true
  readonly client: readonly Step[]
  /** One for each request in order; later requests are answered `200` with the body `ok`. `refuses`: nobody listens. */
  readonly upstream?: readonly Reply[] | 'refuses'
  readonly expect: readonly Check[]
}

export type Group = { readonly topic: string; readonly cases: readonly Case[] }

/** A final response with the interim ones before it. */
export type Answered = Message & { readonly status: number; readonly interim: readonly Message[] }

export type Arrived = Message & {
  /** Index of its connection. */
  readonly connection: number
  /** Number of requests that the upstream had answered when this one began. */
  readonly answeredBefore: number
}

/** All that client and upstream have seen so far. */
export type Seen = {
  /** Whether the sidecar's own rules apply besides the RFCs'. Without them, whatever the RFCs allow is right. */
  readonly isStrict: boolean
  readonly responses: readonly Answered[]
  /** All bytes that the client has got. */
  readonly received: string
  /** Bytes behind the last response; after a 101, of the tunnel. */
  readonly rest: string
  /** How the proxy ended the client's connection. */
  readonly ending: Ending
  readonly requests: readonly Arrived[]
  /** All bytes of each of the upstream's connections. */
  readonly upstreamReceived: readonly string[]
  readonly closedUpstream: number
  /** Port of the upstream. */
  readonly upstreamPort: number
}

/** @returns what is wrong, or still missing; undefined when all is as it should be. */
export type Check = ((seen: Seen) => string | undefined) & { readonly refuses?: true }
