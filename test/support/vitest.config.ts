import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

/**
 * The fast suite: all that `npm test` runs. Tests of the real program build it first; the others run the
 * sources and need no build. Long runs are in vitest.soak.config.ts.
 */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'code',
          include: ['test/{unit,property,contract,fault,golden,tidy,sim}/**/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/machine/build.ts'],
        },
      },
    ],
  },
});
