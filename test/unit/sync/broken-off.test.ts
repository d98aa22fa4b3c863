/** A device that was away for long, and whose line breaks before it has caught up. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import type { Origin } from '../../../src/model/origin.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import { DEVICE_A, DEVICE_B, patchOp, stampedOp } from '../../support/made/ops.ts';
import { PullingDevice, PullSite } from '../../support/simulated/pull-site.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const DEVICE_C = 'cccccccccccccccc' as Origin;

function records(count: number, origin: Origin): StampedOp[] {
  return Array.from({ length: count }, (_, n) =>
    patchOp({ state: 'open', n }, { origin, seq: n + 1, key: `orders/${n % 700}` }),
  );
}

test('what it was sent already does not come again, however often it breaks', async () => {
  const site = new PullSite(tempDir());
  onTestFinished(() => site.close());
  site.take(records(10, DEVICE_A));
  const device = new PullingDevice(site, 'tablet');
  device.open();
  await device.catchUp();
  site.take([...records(2_000, DEVICE_B), ...records(1_000, DEVICE_C)]);
  site.take([stampedOp({ origin: DEVICE_C, key: 'meters/1' })]);
  const before = device.pages.length;
  let breaks = 0;
  for (; breaks === 0 || device.pages.at(-1)?.stage !== 'caught-up'; breaks++) {
    assert.ok(breaks < 100, 'it never arrives');
    device.open({ credit: 2 });
    await site.settle();
    device.receive(false);
  }
  assert.ok(breaks > 2, `${breaks} lines`);
  const items = device.pages.slice(before).flatMap((page) => page.items).length;
  assert.ok(items <= 3_001 + 2 * breaks, `${items} items over ${breaks} lines`);
  assert.equal(device.digest(), site.store.digest().digest);
  assert.deepEqual(device.replica.vector, site.store.vector());
});

test('nothing is missing where the journal has let go of what came since', async () => {
  const site = new PullSite(tempDir());
  onTestFinished(() => site.close());
  site.take(records(2_000, DEVICE_A));
  const device = new PullingDevice(site, 'tablet');
  device.open({ credit: 2 });
  await site.settle();
  device.receive(false);
  site.take([patchOp({ state: 'done' }, { origin: DEVICE_B, seq: 1, key: 'orders/0' })]);
  site.take(records(3, DEVICE_C));
  site.journal.release(2_003);
  device.open();
  await device.catchUp();
  // As a device does behind a lapse.
  if (device.lapses.length > 0) device.open();
  await device.catchUp();
  assert.equal(device.digest(), site.store.digest().digest);
});
