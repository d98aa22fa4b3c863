/** The loop of test/e2e/kill.test.ts, ten times as long. */
import { test } from 'vitest';

import { killsUnderLoad } from '../support/hubs/kills.ts';

test('SIGKILL under load, two hundred times', async () => {
  await killsUnderLoad(200);
});
