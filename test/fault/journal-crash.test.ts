/** The machine dies after every single operation on its files, in scenarios that go through all a journal does. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { countOf, crashAfterEveryOperation, longLife, shortLives } from './journal-scenarios.ts';
import { DIR, Rig, SEALINGS } from './journal-rig.ts';

describe.each(SEALINGS)('%s', (sealing) => {
  test.each([longLife, shortLives])(
    '%O: a crash after every operation loses nothing that was acknowledged',
    async (scenario) => {
      await crashAfterEveryOperation(scenario, [1, 2], sealing);
    },
  );
});

test('names that a killed process left unsynced are not trusted before they are durable', async () => {
  const operations = await countOf(longLife, 'operations', 'plain');
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
      assert.ok(!rig.files.list(DIR).includes('quarantine'), 'nothing looked damaged');
      tried += 1;
    }
  }
  assert.ok(tried > 20, `${tried} such moments`);
});
