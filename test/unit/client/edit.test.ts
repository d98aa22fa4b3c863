/** An edit that takes time: what comes while somebody types was not before their eyes. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';

import { tempDir } from '../../support/machine/temp-dir.ts';
import { DeviceWorld } from '../../support/simulated/device-world.ts';

test('what came since an edit began is in conflict with it, and what stood then is not', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  const [lena, otieno] = [await world.add('lena'), await world.add('otieno')];
  void lena.record('orders/1').set({ title: 'pump leaks', who: 'Lena' });
  await world.settle();
  const edit = otieno.record('orders/1').edit();
  void lena.record('orders/1').set({ title: 'pump 3 leaks' });
  await world.settle();
  assert.equal(otieno.record('orders/1').value?.fields['title'], 'pump 3 leaks');
  void edit.set({ title: 'pump is broken', who: 'Otieno', due: 'Friday' });
  await world.settle();
  for (const device of [lena, otieno]) {
    const values = device
      .conflicts()
      .map(({ field, winner, loser }) => [field, winner.value, loser.value]);
    assert.deepEqual(values, [['title', 'pump is broken', 'pump 3 leaks']]);
  }
});
