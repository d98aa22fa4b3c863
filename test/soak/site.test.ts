/** Thirty devices and 100,000 ops with real processes: two hubs that are killed, lines that are cut, devices that move. */
import { test } from 'vitest';

import { liveThroughProcesses } from '../support/hubs/live-site.ts';

const OPS = Number(process.env['SITE_OPS'] ?? 100_000);
const SEED = Number(process.env['SITE_SEED'] ?? 1);

test(`30 devices, ${OPS} ops, two hubs`, async () => {
  await liveThroughProcesses({ devices: 30, ops: OPS, seed: SEED, areas: 10, kills: 8 });
});
