import assert from 'node:assert/strict';
import { test } from 'vitest';

import { durationMs, durationText } from '../../../src/base/duration.ts';

test('durations are read with their unit, seconds without', () => {
  assert.equal(durationMs('90'), 90_000);
  assert.equal(durationMs('1.5h'), 5_400_000);
  assert.equal(durationMs('15m'), 900_000);
  assert.equal(durationMs(' 2d '), 172_800_000);
  for (const text of ['', 'm', '-1s', '1w', '1h30m', '1e9']) {
    assert.equal(durationMs(text), undefined, text);
  }
});

test.each([
  [0, '0 s'],
  [59, '59 s'],
  [60, '1 min'],
  [3599, '59 min'],
  [3600, '1 h'],
  [11_100, '3 h 5 min'],
  [93_600, '1 d 2 h'],
  [9 * 86_400 + 3_600, '9 d 1 h'],
  [10 * 86_400 + 3_600, '10 d'],
])('%i seconds are %s', (seconds, text) => {
  assert.equal(durationText(seconds), text);
});
