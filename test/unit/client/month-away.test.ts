/** A device that comes back after a month, with work of its own that nobody has seen. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import { digestOfDevice } from '../../support/hubs/devices.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { DeviceWorld } from '../../support/simulated/device-world.ts';

const ORDERS = 5;
const EDITS = 600;
const READINGS = 2_000;
/** What it is sent when it comes back; the edits alone are six times as much, one by one. */
const BYTES_MAX = 10_000;

test('its ops are rebased on the state that it gets in place of a month of ops', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  const phone = await world.add('phone');
  const tablet = await world.add('tablet');
  for (let n = 0; n < ORDERS; n++) void phone.record(`orders/${n}`).set({ state: 'open', n: 0 });
  await world.settle();
  const { id: early } = tablet.record('orders/0').set({ note: 'early' });
  await world.settle();

  world.goes('tablet', 'away');
  // Seen: that it was open. So is what the phone sets at the end.
  void tablet.record('orders/1').set({ state: 'tablet', note: 'mine' });
  void tablet.record('orders/2').set({ title: 'only here' });
  void tablet.counter('orders/2', 'visits').add(3);
  tablet.undo('orders/0', early);
  const { id: step } = tablet.record('orders/3').set({ note: 'taken back at once' });
  tablet.undo('orders/3', step);
  await tablet.whenKept();
  for (let n = 1; n <= EDITS; n++) {
    void phone
      .record(`orders/${n % ORDERS}`)
      .set({ n, state: n > EDITS - ORDERS ? 'phone' : 'busy' });
    if (n % 100 === 0) await world.clock.advance(2_000);
  }
  for (let n = 1; n <= READINGS; n++) {
    void phone.event('meters/1', `${n}`);
    if (n % 500 === 0) await world.clock.advance(2_000);
  }
  void phone.counter('orders/2', 'visits').add(4);
  await world.clock.advance(5_000);
  world.fold();
  world.horizons.look();
  world.journal.sync();
  world.fold();
  assert.equal(tablet.status.pending, 6);

  const before = world.bytesTo('tablet');
  world.goes('tablet', 'back');
  await world.settle();
  world.fold();
  const bytes = world.bytesTo('tablet') - before;
  assert.ok(bytes < BYTES_MAX, `${bytes} bytes`);
  assert.equal(tablet.status.pending, 0);
  assert.deepEqual(tablet.record('orders/2').value?.counters, { visits: 7 });
  assert.equal(tablet.record('orders/2').value?.fields['title'], 'only here');
  assert.equal(tablet.record('orders/1').value?.fields['note'], 'mine');
  assert.equal(tablet.record('orders/3').value?.fields['note'], undefined);
  assert.equal(new TextDecoder().decode(tablet.latest('meters/1')), `${READINGS}`);
  const [conflict] = tablet.conflicts('orders/1');
  assert.deepEqual(
    new Set([conflict?.winner.value, conflict?.loser.value]),
    new Set(['phone', 'tablet']),
  );
  const { digest } = world.store.digest();
  for (const device of [phone, tablet]) assert.equal(digestOfDevice(device), digest);
});
