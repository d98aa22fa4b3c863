/** The site of test/soak/site.test.ts, small. */
import { test } from 'vitest';

import { liveThroughProcesses } from '../support/hubs/live-site.ts';

test('five devices at two hubs that are killed, and lines that are cut: nothing is lost or counted twice', async () => {
  await liveThroughProcesses({ devices: 5, ops: 2_000, seed: 3, areas: 1, kills: 1 });
});
