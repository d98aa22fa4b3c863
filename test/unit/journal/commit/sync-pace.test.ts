import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Journal } from '../../../../src/journal/journal.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { Rig } from '../../../fault/journal-rig.ts';

test('a card that takes a second and more for each sync is told, and so is one that hangs; a single hiccup is not', async () => {
  const { clock, options } = new Rig(1);
  const random = new SeededRandom(1);
  let delayMs = 10;
  const files = new SimFiles({ random, sync: { timers: clock, delayMs: () => delayMs } });
  const journal = await Journal.open({ ...options, files, timers: clock });
  await clock.advance(1_000);
  const commit = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      journal.append(Uint8Array.of(i), 0);
      await clock.advance(delayMs + 10);
    }
  };
  await commit(4);
  assert.equal(journal.stat().slowSyncMs, undefined);
  const { syncMs } = journal.stat();
  assert.ok(syncMs >= 40, `${syncMs} ms`);
  delayMs = 2_000;
  await commit(1);
  assert.equal(
    journal.stat().slowSyncMs,
    undefined,
    'one of them may be the card at its housekeeping',
  );
  await commit(9);
  assert.ok((journal.stat().slowSyncMs ?? 0) > 1_000);
  delayMs = 10;
  await commit(9);
  assert.equal(journal.stat().slowSyncMs, undefined);
  delayMs = 60_000;
  await commit(1);
  assert.equal(journal.stat().slowSyncMs, undefined, 'the process may have been stopped meanwhile');
  delayMs = 10;
  await commit(1);
  assert.equal(journal.stat().slowSyncMs, undefined);
  delayMs = 60_000;
  journal.append(Uint8Array.of(1), 0);
  await clock.advance(5_000);
  assert.ok((journal.stat().slowSyncMs ?? 0) >= 4_000, 'it has not come back yet');
});
