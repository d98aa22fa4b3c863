/** Devices that come and go, in simulated time; hundreds of seeds run in test/soak. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { liveThrough } from '../support/simulated/device-history.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

test.each([1, 2, 3, 4])(
  'devices end with the state of the hub, and nothing is lost or counted twice: seed %i',
  async (seed) => {
    await liveThrough({ dir: tempDir(), seed, devices: 5, steps: 250 });
  },
);

test('so do thirty that make a hundred ops in one go and stay away for a while', async () => {
  const size = { devices: 30, steps: 1_500, burst: 100, awayMsMax: 5_000 };
  const { ops } = await liveThrough({ dir: tempDir(), seed: 1, ...size });
  assert.ok(ops > 1_000, `${ops} ops`);
});
