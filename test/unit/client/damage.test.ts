/** A device whose card has lost an op that nobody had yet: all else it made reaches the hub, and nobody waits for it. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import { tempDir } from '../../support/machine/temp-dir.ts';
import { DeviceWorld, type Member } from '../../support/simulated/device-world.ts';

test('what lies behind damage reaches the others, and what is made after it', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  const [lena, office] = [await world.add('lena'), await world.add('office')];
  void lena.record('orders/1').set({ a: 1 });
  await world.settle();
  world.goes('lena', 'away');
  for (const field of ['b', 'c', 'd']) void lena.record('orders/1').set({ [field]: 1 });
  await lena.whenKept();
  const member = world.members[0] as Member;
  const { storage } = member;
  const lost = storage.kept.length - 2;
  storage.kept = storage.kept.filter((_, at) => at !== lost);
  storage.damage = 'some bytes';
  await world.crash(member);
  void member.device.record('orders/1').set({ e: 1 });
  world.goes('lena', 'back');
  await world.settle();
  assert.equal(member.device.status.pending, 0);
  const all = { a: 1, b: 1, d: 1, e: 1 };
  assert.deepEqual(office.record('orders/1').value?.fields, all);
  assert.deepEqual(member.device.record('orders/1').value?.fields, all);
});
