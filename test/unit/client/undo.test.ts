/** What a device may take back, and how it hears why not. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import type { Device } from '../../../src/client/device.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { DeviceWorld } from '../../support/simulated/device-world.ts';

async function phone(): Promise<{ world: DeviceWorld; device: Device }> {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  return { world, device: await world.add('phone') };
}

test('what later work builds on goes with it, where that is asked for, and a program can tell', async () => {
  const { device } = await phone();
  const order = device.record('orders/1');
  const first = order.set({ state: 'open', title: 'pump' });
  const second = order.set({ state: 'done' });
  assert.throws(() => device.undo('orders/1', first.id), {
    code: 'client.built-on',
    message: `later work builds on it: ${second.id}; cascade takes that back too`,
  });
  device.undo('orders/1', first.id, true);
  assert.equal(order.value, undefined);
  assert.throws(() => device.undo('orders/1', first.id, true), {
    code: 'client.refused',
    message: /undone already/,
  });
  assert.throws(() => device.undo('orders/1', '1111111111111111/2/7'), {
    code: 'client.refused',
    message: /no op of this name has come here/,
  });
  const event = device.event('meters/1', '7');
  assert.throws(() => device.undo('meters/1', event.id), { message: /events are facts/ });
});

test('what lies before the horizon of its record is refused with the reason', async () => {
  const { world, device } = await phone();
  const order = device.record('orders/1');
  const ids: string[] = [];
  for (let n = 0; n < 20; n++) ids.push(order.set({ n }).id);
  await world.settle();
  world.fold();
  world.horizons.look();
  world.journal.sync();
  world.fold();
  void device.record('orders/2').set({ n: 0 });
  await world.settle();
  const [oldest = ''] = ids;
  assert.throws(() => device.undo('orders/1', oldest, true), {
    code: 'client.refused',
    message: /before the horizon/,
  });
  device.undo('orders/1', ids.at(-1) ?? '');
  assert.equal(order.value?.fields['n'], 18);
});
