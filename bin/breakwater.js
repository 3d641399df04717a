#!/usr/bin/env -S node --max-semi-space-size=4
// Plain JavaScript, so that a Node too old to run TypeScript can still say what is wrong.
import module from 'node:module'
import { fileURLToPath } from 'node:url'

// Node answers SIGUSR1 with an inspector on 127.0.0.1:9229, where whoever shares the loopback runs code. A listener takes its
// place. `--disable-sigusr1` would do the same, but a Node too old to know it says only "bad option", not what is below.
process.on('SIGUSR1', () => {})

const NEEDED = [26, 2]
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `breakwater needs Node ${NEEDED.join('.')} or later, this is ${process.versions.node}.\n` +
      'It comes with its own: use `npm start`, `npm run demo` or `npx breakwater` after `npm ci`.\n' +
      'If those say this too, `npm ci` skipped the optional package node-<platform>-<arch>: run it again.\n',
  )
  process.exit(1)
}
// Compiled code, kept beside the packages: it halves the time to start. Where that is not writable, it goes without.
// Threads take it from the environment.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../node_modules/.cache/breakwater', import.meta.url))
module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
// It is written at the end of a process, and one that is killed would leave none. Stripping the types anew at each start also
// takes 35 MB that are never given back. Takes a moment after an installation, and nothing when all is written.
setTimeout(() => module.flushCompileCache(), 5_000).unref()
// Node looks for each imported file, follows its links and reads its package's type: a sixth of a start that loads some 550 modules.
// A relative import names its file whole, beside one that was found, and `.ts` tells how to read it.
module.registerHooks({
  resolve(specifier, context, next) {
    if (!/^\.\.?\/.*\.(ts|js)$/.test(specifier) || !context.conditions.includes('import'))
      return next(specifier, context)
    const format = specifier.endsWith('.ts') ? 'module-typescript' : undefined
    return { url: new URL(specifier, context.parentURL).href, format, shortCircuit: true }
  },
})
await import('../src/main.ts')
