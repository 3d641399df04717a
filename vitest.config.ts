import { defineConfig } from 'vitest/config'

const UNIT = 'test/**/*.unit.test.ts'
const SYSTEM = 'test/**/*.system.test.ts'

/** The name of a file says its project; CONTRIBUTING.md says which name to give. A setup file holds `unit` and `wire` to it. */
export default defineConfig({
  test: {
    pool: 'forks',
    // Two cores at least: most tests wait for sockets and timers. Properties that compute take three times as long beside others.
    maxWorkers: 2,
    testTimeout: 60_000,
    reporters: ['default'],
    // The page's modules run in a browser, where V8's counts are not gathered.
    coverage: { provider: 'v8', include: ['src/**/*.ts'], exclude: ['src/dashboard/**'], reporter: ['text', 'html'] },
    projects: [
      {
        extends: true,
        // Pure tests share their modules: reading them anew for each file takes longer than the tests.
        test: { name: 'unit', include: [UNIT], isolate: false, setupFiles: ['test/support/only-in-memory.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'wire',
          include: ['test/**/*.test.ts'],
          exclude: [UNIT, SYSTEM],
          setupFiles: ['test/support/only-in-process.ts'],
        },
      },
      { extends: true, test: { name: 'system', include: [SYSTEM] } },
    ],
  },
})
