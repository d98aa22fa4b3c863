import assert from 'node:assert/strict';
import { test } from 'vitest';

import { pause, qualityBy } from '../../../src/base/clock.ts';
import { isoTime, wallMsOfIso } from '../../../src/base/iso-time.ts';
import { below } from '../../../src/base/random.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';

test('a pause ends when its time has come', async () => {
  const clock = new SimClock(0);
  let endedMs = -1;
  const ended = pause(clock, 250).then(() => (endedMs = clock.monotonicMs()));
  await clock.advance(1_000);
  await ended;
  assert.equal(endedMs, 250);
});

test('an abort ends a pause at once and leaves no timer behind', async () => {
  const clock = new SimClock(0);
  const abort = new AbortController();
  const paused = pause(clock, 250, abort.signal);
  abort.abort();
  await paused;
  assert.equal(clock.nextDueMs(), undefined);
  await pause(clock, 250, abort.signal);
  assert.equal(clock.nextDueMs(), undefined);
});

test('a clock that shows 1970, or what is left of one whose battery is empty, was set by nobody', () => {
  assert.equal(qualityBy(600_000), 'unknown');
  assert.equal(qualityBy(Date.UTC(2026, 10, 28)), 'rtc');
  assert.equal(qualityBy(Date.UTC(2045, 0, 1)), 'rtc');
  assert.equal(qualityBy(1_000 * (2 ** 32 - 1)), 'unknown', '2106');
});

test('times are RFC 3339 in UTC, there and back', () => {
  assert.equal(isoTime(0), '1970-01-01T00:00:00.000Z');
  const wallMs = Date.UTC(2026, 2, 1, 6, 10);
  assert.equal(wallMsOfIso(isoTime(wallMs)), wallMs);
  assert.equal(wallMsOfIso('2026-03-01T07:10:00+01:00'), wallMs);
  assert.equal(wallMsOfIso('soon'), undefined);
});

test('a whole number below a limit takes every value and no other', () => {
  const random = new SeededRandom(3);
  const seen = new Set(Array.from({ length: 500 }, () => below(random, 7)));
  assert.deepEqual(seen, new Set([0, 1, 2, 3, 4, 5, 6]));
});
