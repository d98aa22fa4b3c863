/** Many devices, two hubs, partitions, duplicates, restarts: every replica ends in the same state, nothing lost or doubled. */
import { describe, test } from 'vitest';

import { runFleet } from '../support/simulated/device-fleet.ts';

describe('a site of many devices', () => {
  test.each([1, 2, 3])('seed %i', (seed) => {
    runFleet({ devices: 10, ops: 1_000, seed });
  });
});
