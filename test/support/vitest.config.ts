import { defineConfig } from 'vitest/config';

/** The fast suite: all that `npm test` runs. Long runs are in vitest.soak.config.ts. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/{unit,property,contract,fault,golden,tidy,sim,e2e}/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
