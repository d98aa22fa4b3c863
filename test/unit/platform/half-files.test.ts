/** What is written beside its place and finds no room there leaves nothing: half a file would keep the disk full. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { machineTimers } from '../../../src/platform/clock.ts';
import type { Files } from '../../../src/platform/files/files.ts';
import { replaceOffLoop } from '../../../src/platform/files/off-loop.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { writeSnapshot } from '../../../src/snapshot/snapshot-file.ts';
import { Spool } from '../../../src/uplink/spool.ts';
import { batchOf, HUB, stampedOps, START_MS } from '../../support/made/batches.ts';

/** Less than any of them needs: the simulated disk gives away nothing below a sector. */
const LEFT_BYTES = 0;

const writers: Record<string, (files: Files) => Promise<unknown>> = {
  'a batch of the spool': async (files) => {
    const batch = await batchOf(stampedOps(1, 20));
    return Spool.open(files, 'data').spool.add(batch);
  },
  'a file that is replaced while devices are served': (files) =>
    replaceOffLoop(files, 'data/note', new Uint8Array(1_000)),
  'a file that is replaced': (files) =>
    Promise.resolve().then(() => files.replace('data/note', new Uint8Array(1_000))),
  'a snapshot': (files) => {
    const clock = new SimClock(START_MS);
    const path = 'data/state.snapshot';
    const time = { clock, siteClock: clock, timers: machineTimers };
    return writeSnapshot({ files, path, lsn: 0, items: [], signer: HUB, ...time });
  },
};

for (const [name, write] of Object.entries(writers)) {
  test(`${name} that finds the disk full`, async () => {
    const files = new SimFiles({ random: new SeededRandom(1), capacityBytes: 8_192 });
    files.makeDir('data');
    const ballast = files.open('ballast', 'create');
    ballast.writeAt(new Uint8Array(files.freeBytes('data') - LEFT_BYTES), 0);
    ballast.close();
    await assert.rejects(write(files), /ENOSPC/);
    assert.deepEqual(files.list('data'), []);
    assert.equal(files.freeBytes('data'), LEFT_BYTES);
  });
}
