/** Thirty devices with thousands of ops, and hundreds of smaller histories, in simulated time. */
import { test } from 'vitest';

import { liveThrough } from '../support/simulated/device-history.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const SEEDS = 200;

test('200 seeds', async () => {
  for (let seed = 100; seed < 100 + SEEDS; seed++) {
    await liveThrough({ dir: tempDir(), seed, devices: 6, steps: 500 });
  }
});

test('30 devices, 100,000 steps', async () => {
  await liveThrough({ dir: tempDir(), seed: 1, devices: 30, steps: 100_000 });
});
