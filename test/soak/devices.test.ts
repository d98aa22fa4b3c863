/**
 * Thirty devices with 100,000 ops, DEVICES_SEEDS of them from DEVICES_FIRST_SEED on, and hundreds of smaller histories, in
 * simulated time.
 */
import { describe, test } from 'vitest';

import { liveThrough } from '../support/simulated/device-history.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const SEEDS = Number(process.env['DEVICES_SEEDS'] ?? 2);
const FIRST_SEED = Number(process.env['DEVICES_FIRST_SEED'] ?? 1);
const OPS = Number(process.env['DEVICES_OPS'] ?? 100_000);

test('200 seeds', async () => {
  for (let seed = 100; seed < 300; seed++) {
    await liveThrough({ dir: tempDir(), seed, devices: 6, steps: 500 });
  }
});

describe(`30 devices that make ${OPS} ops, up to a hundred in one go, and are out of reach for up to a minute`, () => {
  test.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
    'seed %i',
    async (seed) => {
      const size = { devices: 30, steps: OPS, burst: 100, awayMsMax: 60_000 };
      const { ops, cuts } = await liveThrough({ dir: tempDir(), seed, ...size });
      process.stdout.write(`seed ${seed}: ${ops} ops, ${cuts} lines cut\n`);
    },
  );
});
