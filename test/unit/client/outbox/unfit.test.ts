/** What no hub would take is refused where it is made, before anybody builds on it. */
import assert from 'node:assert/strict';

import { onTestFinished, test } from 'vitest';
import * as Y from 'yjs';

import type { Fields, Value } from '../../../../src/client/view/values.ts';
import { VALUE_DEPTH_MAX } from '../../../../src/merge/patch.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { DeviceWorld } from '../../../support/simulated/device-world.ts';

const UNFIT_KEYS = ['', 'a\u0000b', 'ä'.repeat(513), 'half \ud83d'];
const UNFIT_TOPICS = [...UNFIT_KEYS, 'a/+', '#', '+', 'sync/d/ops', 'sync', 'hub/time', '$SYS/a'];

test('keys and topics that cannot be are refused at once, by every call, and nothing was made', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  world.isRough = false;
  const device = await world.add('phone');
  for (const key of UNFIT_KEYS) {
    const calls = [
      () => device.record(key).set({ a: 1 }),
      () => device.record(key).remove(),
      () => device.counter(key, 'n').add(1),
      () => device.doc(key, Y),
    ];
    for (const call of calls) assert.throws(call, { code: 'client.unfit' }, JSON.stringify(key));
  }
  for (const topic of UNFIT_TOPICS) {
    assert.throws(() => device.event(topic, 'on'), { code: 'client.unfit' }, JSON.stringify(topic));
  }
  assert.equal(device.status.pending, 0);
  const made = device.event('alarms/pump-3/acknowledged', 'lena');
  await world.settle();
  assert.equal((await made).op.seq, 1);
});

test('names, values and counts that cannot be are refused as such, whatever they are', async () => {
  const world = new DeviceWorld(tempDir(), 1);
  onTestFinished(() => world.close());
  const device = await world.add('phone');
  const circle: Value[] = [];
  circle.push(circle);
  const nested = (depth: number): Value =>
    Array.from({ length: depth }).reduce<Value>((inner) => [inner], 1);
  const deep = nested(2_000);
  const counts = [0.5, Number.NaN, 2 ** 53, 2n ** 63n, 1n, '1'] as unknown as number[];
  const calls = [
    () => device.record('a').set({ 'half \ud83d': 1 }),
    () => device.record('a').set({ inner: { 'half \ud83d': 1 } }),
    () => device.counter('a', 'half \ud83d').add(1),
    () => device.record('a').set({ circle }),
    () => device.record('a').set({ deep }),
    () => device.record('a').set({ deep: nested(VALUE_DEPTH_MAX + 1) }),
    ...counts.map((count) => () => device.counter('a', 'n').add(count)),
  ];
  for (const call of calls) assert.throws(call, { code: 'client.unfit' }, String(call));
  assert.equal(device.status.pending, 0);
  const fits = nested(VALUE_DEPTH_MAX);
  device.record('a').set(JSON.parse('{"__proto__": 1, "constructor": 2}') as Fields);
  device.record('a').set({ fits });
  assert.deepEqual(Object.entries(device.record('a').value?.fields ?? {}), [
    ['__proto__', 1],
    ['constructor', 2],
    ['fits', fits],
  ]);
});
