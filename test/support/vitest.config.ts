import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

/** One limit for every test. It ends what hangs; a machine that is slow, or busy with other things, breaks no test. */
const RUN_MS_MAX = 600_000;

/**
 * The fast suite: all that `npm test` runs. Tests of the real program build it first; the others run the
 * sources and need no build. Long runs are in vitest.soak.config.ts.
 */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    testTimeout: RUN_MS_MAX,
    hookTimeout: RUN_MS_MAX,
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
