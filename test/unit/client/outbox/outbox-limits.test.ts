/** How much waits on a device for a hub, and that there is room again when a hub has come. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { Outbox, OUTBOX_BYTES_MAX, OUTBOX_OPS_MAX } from '../../../../src/client/outbox/outbox.ts';
import { encodePatch } from '../../../../src/merge/patch.ts';
import { PATCH } from '../../../../src/model/op.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { MemoryStorage } from '../../../support/memory/memory-storage.ts';

function open(storage = new MemoryStorage()): Promise<Outbox> {
  return Outbox.open({
    storage,
    random: new SeededRandom(1),
    clock: new SimClock(1_800_000_000_000),
    onChange: () => undefined,
    comesBack: () => true,
  });
}

const patch = (letters: number) =>
  ({
    class: 2,
    kind: PATCH,
    key: 'orders/1',
    body: encodePatch({ a: 'x'.repeat(letters) }),
  }) as const;

test('beyond the most ops nothing is made, also after a restart, until a hub has some of them', async () => {
  const storage = new MemoryStorage();
  const before = await open(storage);
  for (let n = 0; n < OUTBOX_OPS_MAX; n++) before.add(patch(1));
  assert.throws(() => before.add(patch(1)), { code: 'client.outbox-full' });
  await before.whenWritten();
  const outbox = await open(storage);
  assert.equal(outbox.pending, OUTBOX_OPS_MAX);
  assert.throws(() => outbox.add(patch(1)), { code: 'client.outbox-full' });
  const { origin } = outbox;
  outbox.take({ accepted: [{ origin, class: 2, seq: 10 }], rejected: [] }, 'd');
  assert.throws(() => outbox.add(patch(1)), { code: 'client.outbox-full' }, 'shown still');
  outbox.forget(() => true);
  assert.equal(outbox.add(patch(1)).op.seq, OUTBOX_OPS_MAX + 1, 'no number was lost');
});

test('so it is beyond the most bytes', async () => {
  const outbox = await open();
  const letters = 1_000_000;
  const fit = Math.ceil(OUTBOX_BYTES_MAX / letters);
  for (let n = 0; n < fit; n++) outbox.add(patch(letters));
  assert.throws(() => outbox.add(patch(1)), { code: 'client.outbox-full' });
});
