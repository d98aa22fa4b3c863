import { defineConfig } from 'vitest/config';

/** The long runs: hundreds of seeds, kill loops, floods. Never part of `npm test`. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/soak/**/*.test.ts'],
    globalSetup: ['test/support/machine/build.ts'],
    testTimeout: 3_600_000,
    // Thirty devices are closed one after the other.
    hookTimeout: 600_000,
    maxWorkers: 1,
  },
});
