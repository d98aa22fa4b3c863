/** Devices whose clocks are years off: what their people do counts after what they saw, here as on the hub. */
import assert from 'node:assert/strict';

import { describe, onTestFinished, test } from 'vitest';

import { must } from '../../src/base/assert.ts';
import type { Device } from '../../src/client/device.ts';
import { tempDir } from '../support/machine/temp-dir.ts';
import { DeviceWorld } from '../support/simulated/device-world.ts';

const KEY = 'order/1';
const YEARS_MS = 3 * 365 * 86_400_000;

async function world(
  skewMs: number,
): Promise<{ world: DeviceWorld; right: Device; wrong: Device }> {
  const it = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => it.close());
  it.isRough = false;
  const right = await it.add('right');
  const wrong = await it.add('wrong', { skewMs });
  return { world: it, right, wrong };
}

async function settled(it: DeviceWorld): Promise<void> {
  await it.settle();
  it.fold();
  await it.clock.advance(60_000);
}

const stateOf = (device: Device): unknown => device.record(KEY).value?.fields['state'];

describe.each([
  ['behind', -YEARS_MS],
  ['ahead', YEARS_MS],
])('a device whose clock is years %s', (_, skewMs) => {
  test('changes what it sees, and others change what it did', async () => {
    const { world: it, right, wrong } = await world(skewMs);
    void right.record(KEY).set({ state: 'open' });
    await settled(it);
    assert.equal(stateOf(wrong), 'open');
    void wrong.record(KEY).set({ state: 'done' });
    assert.equal(stateOf(wrong), 'done', 'it shows at once');
    await settled(it);
    assert.deepEqual([right, wrong].map(stateOf), ['done', 'done']);
    void right.record(KEY).set({ state: 'open again' });
    await settled(it);
    assert.deepEqual([right, wrong].map(stateOf), ['open again', 'open again']);
    assert.equal(right.conflicts().length, 0);
  });

  test('does so without a hub, too, after a restart', async () => {
    const { world: it, right } = await world(skewMs);
    void right.record(KEY).set({ state: 'open' });
    await settled(it);
    const member = must(it.members[1], 'the wrong one');
    it.goes('wrong', 'away');
    await it.crash(member);
    assert.equal(stateOf(member.device), 'open');
    void member.device.record(KEY).set({ state: 'done' });
    assert.equal(stateOf(member.device), 'done');
    it.goes('wrong', 'back');
    await settled(it);
    assert.deepEqual([right, member.device].map(stateOf), ['done', 'done']);
  });

  test('and is right again makes what it makes when it makes it, with a restart and without', async () => {
    const { world: it, right, wrong } = await world(skewMs);
    void wrong.record(KEY).set({ state: 'open' });
    await settled(it);
    const member = must(it.members[1], 'the wrong one');
    member.skewMs = 0;
    for (const isRestarted of [false, true]) {
      it.cut('wrong');
      await settled(it);
      it.goes('wrong', 'away');
      if (isRestarted) await it.crash(member);
      void member.device.record(KEY).set({ state: 'early' });
      await it.clock.advance(600_000);
      void right.record(KEY).set({ state: 'late' });
      await it.clock.advance(600_000);
      it.goes('wrong', 'back');
      await settled(it);
      assert.deepEqual([right, member.device].map(stateOf), ['late', 'late']);
    }
  });
});
