/** Randomness of the machine; the simulated twin is sim/random.ts. */
import { randomBytes } from 'node:crypto';

import type { Random } from '../base/random.ts';

export const machineRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  fraction: () => Math.random(),
};
