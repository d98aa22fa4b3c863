/** What is made is waited for like any promise, and nobody has to. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import { tempDir } from '../../../support/machine/temp-dir.ts';
import { DeviceWorld } from '../../../support/simulated/device-world.ts';

test('with then, catch and finally, whether it was kept or refused', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  const device = await world.add('phone');
  const order = device.record('orders/1');

  let isOver = false;
  const kept = order.set({ state: 'open' }).finally(() => (isOver = true));
  await world.settle();
  assert.equal((await kept).op.seq, 1);
  assert.ok(isOver);

  const left = order.set({ state: 'done' }).catch((error: unknown) => error);
  await device.close();
  assert.match(String(await left), /closed/);
});
