import assert from 'node:assert/strict';
import { test } from 'vitest';

import { WaitingAges } from '../../../../src/uplink/waiting/waiting-age.ts';

const HOUR_MS = 3_600_000;

test('clock and stamp tell the age, where they can', () => {
  const ages = new WaitingAges();
  assert.equal(ages.of(2, 7, 5 * HOUR_MS, 0), 5 * HOUR_MS);
  assert.equal(ages.of(2, 7, 6 * HOUR_MS, HOUR_MS), 6 * HOUR_MS);
});

test('with a clock in 1970 an op ages all the same, from when it was first seen to wait', () => {
  const ages = new WaitingAges();
  const behind = -56 * 365 * 24 * HOUR_MS;
  assert.equal(ages.of(2, 7, behind, 100), 0);
  assert.equal(ages.of(2, 7, behind, 100 + 6 * HOUR_MS), 6 * HOUR_MS);
  assert.equal(ages.of(2, 9, behind, 100 + 6 * HOUR_MS), 0, 'the next in line begins anew');
});

test('classes age apart, and a class that was emptied begins anew', () => {
  const ages = new WaitingAges();
  ages.of(2, 7, -1, 0);
  ages.of(3, 8, -1, HOUR_MS);
  assert.equal(ages.of(3, 8, -1, 2 * HOUR_MS), HOUR_MS);
  assert.equal(ages.of(2, undefined, -Infinity, 2 * HOUR_MS), 0);
  assert.equal(ages.of(2, 7, -1, 3 * HOUR_MS), 0);
});
