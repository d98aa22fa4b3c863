/** Devices that come and go, in simulated time; hundreds of seeds run in test/soak. */
import { test } from 'vitest';

import { liveThrough } from '../support/simulated/device-history.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

test.each([1, 2, 3, 4])(
  'devices end with the state of the hub, and nothing is lost or counted twice: seed %i',
  async (seed) => {
    await liveThrough({ dir: tempDir(), seed, devices: 5, steps: 250 });
  },
);
