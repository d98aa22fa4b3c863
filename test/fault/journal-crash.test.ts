/** The machine dies after every single operation on its files, in scenarios that go through all a journal does. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { below } from '../../src/base/random.ts';
import { countOf, longLife, shortLives } from './journal-scenarios.ts';
import { Rig } from './journal-rig.ts';

const SEEDS = 2;

for (const scenario of [longLife, shortLives]) {
  test(`${scenario.name}: a crash after every operation loses nothing that was acknowledged`, async () => {
    const operations = await countOf(scenario, 'operations');
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

test('names that a killed process left unsynced are not trusted before they are durable', async () => {
  const operations = await countOf(longLife, 'operations');
  let tried = 0;
  for (let at = 1; at <= operations; at++) {
    for (let later = 1; later <= 6; later++) {
      const rig = new Rig(1);
      rig.files.faults.crashAfter = at;
      await rig.crashes(longLife);
      if (!rig.files.hasUnsyncedNames) break;
      rig.end('kill');
      rig.files.faults.crashAfter = rig.files.operations + later;
      await rig.crashes(async () => {
        await rig.open();
        await rig.settle(20);
      });
      rig.end('power-cut');
      rig.files.faults.crashAfter = undefined;
      await rig.open();
      await rig.checkUsable();
      tried += 1;
    }
  }
  assert.ok(tried > 20, `${tried} such moments`);
});
