import assert from 'node:assert/strict';

import { test } from 'vitest';

import { SILENT_LOG } from '../../../../src/base/log.ts';
import type { BatchId } from '../../../../src/batch/batch-id.ts';
import { parseHave } from '../../../../src/batch/wire/messages.ts';
import { verifyEd25519 } from '../../../../src/keys/identity.ts';
import { ALARM, COMMAND } from '../../../../src/model/class.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { Pressure } from '../../../../src/regional/pressure/pressure.ts';
import type { Site } from '../../../../src/regional/site.ts';
import type { Spent } from '../../../../src/regional/site-storage.ts';
import { HUB_ID, REGION, SITE, START_MS } from '../../../support/made/batches.ts';

const BATCH = '0123456789abcdef0123456789abcdef' as BatchId;
const OF = { hub: HUB_ID, batch: BATCH, total: 40, bytes: 1_000 };

test('chunks of a hub ask for its quota once in a while, and the hub is told once that it is spent', async () => {
  const clock = new SimClock(START_MS);
  let [spent, asked]: [Spent, number] = ['no', 0];
  const storage = {
    spent: () => Promise.resolve(((asked += 1), spent)),
    have: () => Promise.resolve(undefined),
  };
  const site = { name: SITE, storage } as unknown as Site;
  const random = new SeededRandom(1);
  const around = { queue: { waiting: 0 }, clock, random, log: SILENT_LOG, signer: REGION };
  const pressure = new Pressure(around);
  for (let chunk = 0; chunk < 20; chunk++) {
    assert.equal(await pressure.holdOff(site, OF, false), undefined);
  }
  assert.equal(asked, 1);
  for (let chunk = 0; chunk < 10; chunk++) {
    await pressure.holdOff(site, { ...OF, bytes: 64_000 }, false);
  }
  assert.equal(asked, 4, 'every 128 KiB');
  spent = 'quota';
  await clock.advance(2_000);
  const word = await pressure.holdOff(site, OF, false);
  assert.ok(word !== undefined);
  const have = parseHave(word, REGION.publicKey, verifyEd25519);
  assert.deepEqual(have?.wait?.takes, [ALARM, COMMAND]);
  assert.equal(await pressure.holdOff(site, OF, false), undefined, 'told a moment ago');
  assert.ok((await pressure.holdOff(site, OF, true)) !== undefined, 'now the reserve is gone, too');
  assert.equal(asked, 5);
});
