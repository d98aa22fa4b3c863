import assert from 'node:assert/strict';
import { test } from 'vitest';

import { isAsGood, isInDoubt } from '../../../../src/store/times/doubt.ts';

const MONTH_MS = 30 * 86_400_000;
const NOON_MS = Date.parse('2026-03-10T12:00:00Z');

test('a time is in doubt a month before its stamp; one that was about right stands', () => {
  assert.ok(!isInDoubt(NOON_MS - MONTH_MS, NOON_MS));
  assert.ok(isInDoubt(NOON_MS - MONTH_MS - 1, NOON_MS));
  assert.ok(isAsGood(NOON_MS, NOON_MS + MONTH_MS - 1));
  assert.ok(isAsGood(NOON_MS, NOON_MS - MONTH_MS + 1));
  assert.ok(!isAsGood(NOON_MS, NOON_MS + MONTH_MS));
  assert.ok(!isAsGood(null, NOON_MS));
});
