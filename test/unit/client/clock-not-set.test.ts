/** What devices say of the time of an op that was made in 1970. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import { tempDir } from '../../support/machine/temp-dir.ts';
import { DeviceWorld } from '../../support/simulated/device-world.ts';

test('who knew no time says none, in the history and in a conflict, on every device; from its next contact on it does', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  const nowMs = world.clock.wallMs();
  world.goes('sensor', 'away');
  const sensor = await world.add('sensor', { skewMs: -nowMs });
  const phone = await world.add('phone');
  void sensor.record('pumps/1').set({ state: 'runs' });
  void phone.record('pumps/1').set({ state: 'stands' });
  await world.clock.advance(2_000);
  world.goes('sensor', 'back');
  await world.settle();
  const timesAt = (device: typeof phone): unknown[] =>
    device.history('pumps/1').map(({ atMs }) => atMs);
  for (const device of [sensor, phone]) {
    assert.deepEqual(timesAt(device), [nowMs, undefined]);
    const [conflict] = device.conflicts('pumps/1');
    assert.deepEqual([conflict?.winner.atMs, conflict?.loser.atMs], [nowMs, undefined]);
  }
  void sensor.record('pumps/1').set({ state: 'runs' });
  await world.settle();
  assert.ok(((timesAt(phone)[0] as number) ?? 0) >= nowMs);
});
