import assert from 'node:assert/strict';
import { test } from 'vitest';

import { HeardReading, isStale } from '../../../../src/power/estimate/reading.ts';
import { probeRows } from '../../../../src/power/probe.ts';
import { BATTERY } from '../support.ts';

test('a reading is stale after sixty seconds, not before', () => {
  assert.equal(isStale(0, 60_000), false);
  assert.equal(isStale(0, 60_001), true);
});

test('what a source told: the newer of every field, each with its own age', () => {
  const heard = new HeardReading();
  heard.take({ atMs: 1_000, batteryVolts: 13.1, socRatio: 0.5, quality: 'good' });
  heard.take({ atMs: 2_000, batteryVolts: 13.2, pvWatts: 0, quality: 'good' });
  assert.deepEqual(heard.fields(), [
    { field: 'batteryVolts', value: 13.2, atMs: 2_000 },
    { field: 'socRatio', value: 0.5, atMs: 1_000 },
    { field: 'pvWatts', value: 0, atMs: 2_000 },
  ]);
});

test('a charge that is told no more grows old beside a voltage that is, and a lost device says why', () => {
  const heard = new HeardReading();
  heard.take({ atMs: 0, batteryVolts: 13.1, socRatio: 0.5, quality: 'good' });
  heard.take({ atMs: 590_000, batteryVolts: 13.2, quality: 'good' });
  const rowsAt = (nowMs: number, lost?: string): unknown[] =>
    probeRows([{ name: 'gx', fields: heard.fields(), suspects: [], lost }], nowMs, BATTERY).map(
      ({ field, value, ageS }) => [field, value, ageS],
    );
  assert.deepEqual(rowsAt(591_000), [
    ['batteryVolts', '13.20', 1],
    ['socRatio', '50.0', 591],
  ]);
  assert.deepEqual(rowsAt(700_000, 'pulled out'), [
    ['batteryVolts', '13.20', 110],
    [undefined, 'pulled out', undefined],
  ]);
  assert.deepEqual(rowsAt(2_000_000), [[undefined, 'no reading yet', undefined]]);
});
