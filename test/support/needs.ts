import { test } from 'vitest'

/**
 * Names a Debian package that a suite needs: where it is missing the suite does not run and this test is shown as
 * skipped, by the package's name; in CI it fails.
 */
export function needs(debianPackage: string, isThere: boolean): void {
  const isCi = process.env.CI === 'true'
  test.skipIf(!isThere && !isCi)(`the Debian package ${debianPackage} is installed`, () => {
    if (!isThere) throw new Error(`${debianPackage} is missing: .ci/run installs it`)
  })
}
