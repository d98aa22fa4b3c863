import assert from 'node:assert/strict';
import { test } from 'vitest';

import { hasFields, isStale, mergeReadings } from '../../../../src/power/estimate/reading.ts';

test('a reading is stale after sixty seconds, not before', () => {
  assert.equal(isStale(0, 60_000), false);
  assert.equal(isStale(0, 60_001), true);
});

test('the newer of every field wins, and what is absent in the newer stays from the older', () => {
  const older = { atMs: 1_000, batteryVolts: 13.1, socRatio: 0.5, quality: 'good' } as const;
  const newer = { atMs: 2_000, batteryVolts: 13.2, pvWatts: 0, quality: 'good' } as const;
  const expected = { atMs: 2_000, batteryVolts: 13.2, socRatio: 0.5, pvWatts: 0, quality: 'good' };
  assert.deepEqual(mergeReadings([newer, older], 3_000), expected);
});

test('stale readings give nothing: never zero', () => {
  const old = { atMs: 0, batteryVolts: 13.1, quality: 'good' } as const;
  const merged = mergeReadings([old], 61_000);
  assert.equal(merged.batteryVolts, undefined);
  assert.equal(hasFields(merged), false);
});
