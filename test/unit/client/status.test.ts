/** What whoever watches a device hears of it. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import type { DeviceStatus } from '../../../src/client/options.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { DeviceWorld } from '../../support/simulated/device-world.ts';

test('a watcher hears the status at once, and then every change of it once', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  const device = await world.add('phone');
  const heard: DeviceStatus[] = [];
  device.onStatus((status) => void heard.push(status));
  await world.settle();
  void device.event('meters/1', '1');
  void device.record('orders/1').set({ state: 'open' });
  await world.settle();
  const late: DeviceStatus[] = [];
  device.onStatus((status) => void late.push(status));
  world.cut('phone');
  await world.settle();
  const told = heard.map(({ contact, pending }) => `${contact} ${pending}`);
  assert.deepEqual(told, [
    'connecting 0',
    'catching up 0',
    'live 0',
    'live 1',
    'live 2',
    'live 1',
    'live 0',
    'offline 0',
    'connecting 0',
    'catching up 0',
    'live 0',
  ]);
  assert.deepEqual(
    late.map(({ contact }) => contact),
    ['live', 'offline', 'connecting', 'catching up', 'live'],
  );
});
