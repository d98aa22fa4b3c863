/** The machine dies after every single operation on its files, in scenarios that go through all a journal does. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { below } from '../../src/base/random.ts';
import { Rig } from './journal-rig.ts';

/** Appends through two rotations, releases, recycles, closes, opens, goes on. */
async function longLife(rig: Rig): Promise<void> {
  await rig.open();
  await rig.commit(1);
  await rig.settle(100); // The next segment is filled and named.
  for (let i = 0; i < 6; i++) {
    await rig.commit(8);
    rig.append(1);
    await rig.settle();
    await rig.settle(60);
  }
  rig.release(rig.journal.durableLsn);
  await rig.settle(60);
  await rig.commit(10);
  await rig.close();
  await rig.open();
  for (let i = 0; i < 4; i++) await rig.commit(10);
  rig.release(rig.journal.durableLsn - 5);
  await rig.commit(30);
  await rig.settle(60);
}

/** Starts again and again with little in between, and a burst that outruns the preparation of segments. */
async function shortLives(rig: Rig): Promise<void> {
  for (let life = 0; life < 4; life++) {
    await rig.open();
    await rig.commit(2, 100);
    if (life === 2) for (let i = 0; i < 4; i++) await rig.commit(25);
    if (life % 2 === 0) await rig.close();
    else rig.end('kill');
  }
}

const SEEDS = 2;

async function countOperations(scenario: (rig: Rig) => Promise<void>): Promise<number> {
  const rig = new Rig(1);
  await scenario(rig);
  return rig.files.operations;
}

for (const scenario of [longLife, shortLives]) {
  test(`${scenario.name}: a crash after every operation loses nothing that was acknowledged`, async () => {
    const operations = await countOperations(scenario);
    assert.ok(operations > 50, `${operations} operations are a scenario`);
    for (let at = 1; at <= operations; at++) {
      for (let seed = 0; seed < SEEDS; seed++) {
        const rig = new Rig(1 + seed * 1000);
        rig.files.faults.crashAfter = at;
        await rig.crashes(scenario);
        rig.end(seed % 2 === 0 ? 'power-cut' : 'kill');
        // And once more, while it recovers.
        rig.files.faults.crashAfter = rig.files.operations + 1 + below(rig.random, 8);
        const crashedAgain = await rig.crashes(async () => {
          await rig.open();
          await rig.settle(20);
        });
        if (crashedAgain || seed % 2 === 1) rig.end('power-cut');
        else await rig.close();
        rig.files.faults.crashAfter = undefined;
        await rig.open();
        await rig.checkUsable();
      }
    }
  });
}
