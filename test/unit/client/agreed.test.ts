/** Two devices that say the same about a record, without having heard of each other. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import { tempDir } from '../../support/machine/temp-dir.ts';
import { DeviceWorld } from '../../support/simulated/device-world.ts';

test('what two wrote alike is no conflict, and not for who writes next either', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  const [lena, otieno] = [await world.add('lena'), await world.add('otieno')];
  void lena.record('orders/1').set({ state: 'open' });
  await world.settle();
  for (const device of [lena, otieno]) void device.record('orders/1').set({ state: 'done' });
  await world.settle();
  for (const device of [lena, otieno]) {
    assert.deepEqual(device.conflicts(), []);
    assert.equal(device.record('orders/1').value?.conflicts, 0);
  }
  void lena.record('orders/1').set({ state: 'checked' });
  await world.settle();
  world.fold();
  assert.equal(otieno.record('orders/1').value?.fields['state'], 'checked');
  assert.deepEqual(world.store.records.openConflicts('orders/1', 10), []);
  assert.deepEqual(otieno.conflicts(), []);
});

test('who had not heard of one of the two is in conflict with it', async () => {
  const world = new DeviceWorld(tempDir(), 2);
  onTestFinished(() => world.close());
  world.isRough = false;
  const [lena, otieno] = [await world.add('lena'), await world.add('otieno')];
  world.goes('otieno', 'away');
  void otieno.record('orders/1').set({ state: 'done' });
  void lena.record('orders/1').set({ state: 'done' });
  await world.clock.advance(5_000);
  void lena.record('orders/1').set({ state: 'open' });
  await world.clock.advance(5_000);
  world.goes('otieno', 'back');
  await world.settle();
  const [conflict, ...others] = lena.conflicts();
  assert.deepEqual([conflict?.winner.value, conflict?.loser.value], ['open', 'done']);
  assert.equal(others.length, 0);
});
