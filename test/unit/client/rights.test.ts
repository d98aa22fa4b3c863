/** A device whose user gets a higher role: what it was not shown before, it is shown now. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import { tempDir } from '../../support/machine/temp-dir.ts';
import { DeviceWorld } from '../../support/simulated/device-world.ts';

test('who was a device and is a technician now gets what was there before, and keeps its own work', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  let isPromoted = false;
  const mayRead = (key: string): boolean => isPromoted || key.startsWith('devices/lena/');
  world.rightsOf = (name) => ({
    role: name === 'office' || isPromoted ? 'technician' : 'device',
    mayRead: name === 'office' ? () => true : mayRead,
    rights: () => [],
  });
  const [lena, office] = [await world.add('lena'), await world.add('office')];
  void office.record('orders/1').set({ title: 'pump 3 leaks' });
  void lena.record('devices/lena/1').set({ name: 'tablet' });
  await world.settle();
  // It asks what it lacks, and is told that it has all that concerns it.
  world.cut('lena');
  await world.settle();
  assert.equal(lena.record('orders/1').value, undefined);
  isPromoted = true;
  world.goes('lena', 'away');
  void lena.record('devices/lena/1').set({ place: 'truck' });
  await world.clock.advance(2_000);
  world.goes('lena', 'back');
  await world.settle();
  const titleAt = (device: typeof lena): unknown =>
    device.record('orders/1').value?.fields['title'];
  assert.equal(titleAt(lena), 'pump 3 leaks');
  assert.deepEqual(lena.record('devices/lena/1').value?.fields, { name: 'tablet', place: 'truck' });
  const before = world.bytesTo('lena');
  world.cut('lena');
  await world.settle();
  assert.equal(titleAt(lena), 'pump 3 leaks');
  const again = world.bytesTo('lena') - before;
  assert.ok(again < 300, `${again} bytes for who has all of it`);
});

test('so does who was on its way through the state for the first time, as a device', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  let isPromoted = false;
  const mayRead = (key: string): boolean => isPromoted || key > 'orders/2';
  world.rightsOf = (name) => ({
    role: name === 'office' || isPromoted ? 'technician' : 'device',
    mayRead: name === 'office' ? () => true : mayRead,
    rights: () => [],
  });
  const office = await world.add('office');
  for (let i = 0; i < 3_000; i++)
    void office.record(`orders/${1_000 + i}`).set({ note: 'x'.repeat(2_000) });
  await world.settle();
  const lena = await world.add('lena');
  while (lena.query({ limit: 1 }).length === 0) await world.clock.advance(1);
  world.goes('lena', 'away');
  assert.ok(lena.query().length < 2_000, 'in the midst of it');
  await world.clock.advance(2_000);
  isPromoted = true;
  world.goes('lena', 'back');
  await world.settle();
  assert.equal(lena.query().length, 3_000);
});
