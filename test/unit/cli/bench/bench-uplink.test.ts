/** The readings that `bench uplink` sends, and the floor it compares itself with. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { meterDay, METERS } from '../../../../src/cli/bench/uplink/meters.ts';
import { offlineBytes } from '../../../../src/cli/bench/uplink/offline.ts';

test('a day of meters is the same every time, in order, once a minute with jitter', () => {
  const readings = meterDay(30);
  assert.equal(readings.length, 30 * METERS);
  assert.deepEqual(readings, meterDay(30));
  assert.ok(readings.every(({ atMs }, index) => atMs >= (readings[index - 1]?.atMs ?? 0)));
  const first = readings.filter(({ topic }) => topic === 'site/meters/m00/reading');
  assert.equal(first.length, 30);
  for (const [index, { atMs }] of first.entries()) {
    if (index === 0) continue;
    const stepMs = atMs - (first[index - 1]?.atMs ?? 0);
    assert.ok(Math.abs(stepMs - 60_000) < 3_000);
  }
});

test('a reading has six numbers in about 95 bytes', () => {
  const readings = meterDay(60);
  const bytes = readings.reduce((sum, { payload }) => sum + payload.length, 0) / readings.length;
  assert.ok(Math.abs(bytes - 95) < 3, `${bytes} bytes`);
  for (const { payload, values } of readings.slice(0, 200)) {
    const parsed = JSON.parse(new TextDecoder().decode(payload)) as Record<string, number>;
    assert.deepEqual(parsed, values);
    assert.equal(Object.keys(parsed).length, 6);
  }
});

test('packing offline takes a few bytes a reading, and no more for readings that repeat', () => {
  const readings = meterDay(20);
  const perReading = offlineBytes(readings) / readings.length;
  assert.ok(perReading > 3 && perReading < 7, `${perReading} bytes`);
  const [one] = readings;
  assert.ok(one);
  const same = readings.map(({ atMs, topic }) => ({ ...one, atMs, topic }));
  assert.ok(offlineBytes(same) < offlineBytes(readings) / 2);
});
