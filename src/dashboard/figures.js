/** The plots of an upstream, from top to bottom. */

import { count, errorPercent, length, NONE, share } from './format.js'

/** @import { UpstreamSample } from './shapes.ts' */

/** @typedef {{ label: string, of: (sample: UpstreamSample) => number | null, colour: string, dash?: number[] }} Line */
/** @typedef {{ id: string, title: string, says: (value: number | null) => string, axis: (value: number) => string, least: number, lines: Line[] }} Figure */

/** @param {number | null} value */
const figure = (value) => (value === null ? NONE : count(value))
/** @param {number} ms */
const shortLength = (ms) => (ms < 1000 ? `${ms} ms` : `${ms / 1000} s`)

/** `least`: smallest maximum of the vertical axis. @type {readonly Figure[]} */
export const FIGURES = [
  {
    id: 'rate',
    title: 'Per second',
    says: figure,
    axis: String,
    least: 4,
    lines: [
      { label: 'requests', of: ({ requests }) => requests, colour: '--line-1' },
      { label: 'attempts', of: ({ attempts }) => attempts, colour: '--line-2', dash: [5, 3] },
      { label: 'failed', of: ({ failed }) => failed, colour: '--line-3', dash: [2, 2] },
    ],
  },
  {
    id: 'errors',
    title: 'Error ratio',
    says: share,
    axis: (value) => `${value} %`,
    least: 4,
    lines: [{ label: 'of requests', of: errorPercent, colour: '--line-3' }],
  },
  {
    id: 'latency',
    title: 'Latency',
    says: length,
    axis: shortLength,
    least: 4,
    lines: [
      { label: 'p50', of: ({ p50_ms }) => p50_ms, colour: '--line-1' },
      { label: 'p90', of: ({ p90_ms }) => p90_ms, colour: '--line-2', dash: [5, 3] },
      { label: 'p99', of: ({ p99_ms }) => p99_ms, colour: '--line-3', dash: [2, 2] },
    ],
  },
  {
    id: 'load',
    title: 'Under way',
    says: figure,
    axis: String,
    least: 4,
    lines: [
      { label: 'in flight', of: ({ in_flight }) => in_flight, colour: '--line-1' },
      { label: 'queued', of: ({ queued }) => queued, colour: '--line-3', dash: [2, 2] },
      { label: 'held polls', of: ({ held }) => held, colour: '--line-2', dash: [5, 3] },
    ],
  },
  {
    id: 'retries',
    title: 'Retries',
    says: figure,
    axis: String,
    least: 4,
    lines: [
      { label: 'budget', of: ({ retry_budget }) => retry_budget, colour: '--line-1' },
      { label: 'retries', of: ({ retries }) => retries, colour: '--line-3', dash: [2, 2] },
      { label: 'resumes', of: ({ resumes }) => resumes, colour: '--line-2', dash: [5, 3] },
    ],
  },
]
