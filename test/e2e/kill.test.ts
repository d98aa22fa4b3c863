/**
 * Promise 1 of the hub, against the real program: SIGKILL under load, twenty times, on one data directory.
 * Everything that a client saw acknowledged is there afterwards, and upstream.
 *
 * What this cannot show: a kill leaves the kernel's page cache intact, so it proves the order of writes and
 * acknowledgements in the process, not the card. Power cuts are simulated in test/fault/.
 */
import { test } from 'vitest';

import { killsUnderLoad } from '../support/hubs/kills.ts';

test('SIGKILL under load, twenty times: every acknowledged message is there, and upstream', async () => {
  await killsUnderLoad(20);
});
