import assert from 'node:assert/strict';
import { test } from 'vitest';

import { CautiousWall } from '../../../src/base/cautious-wall.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';

const NOW_MS = Date.UTC(2026, 10, 27);
const DAY_MS = 86_400_000;
const HOLD_MS = 30 * DAY_MS;

test('an even clock is told as it is, also after a small step', async () => {
  const clock = new SimClock(NOW_MS);
  const wall = new CautiousWall(clock, HOLD_MS);
  assert.equal(wall.nowMs(), NOW_MS);
  await clock.advance(40 * DAY_MS);
  assert.equal(wall.nowMs(), NOW_MS + 40 * DAY_MS);
  clock.jumpWall(NOW_MS + 41 * DAY_MS, 'ntp');
  assert.equal(wall.nowMs(), NOW_MS + 41 * DAY_MS);
});

test('a leap of years is believed when it has held', async () => {
  const clock = new SimClock(NOW_MS);
  const wall = new CautiousWall(clock, HOLD_MS);
  wall.nowMs();
  const far = Date.UTC(2106, 1, 7);
  clock.jumpWall(far, 'rtc');
  assert.equal(wall.nowMs(), NOW_MS);
  await clock.advance(HOLD_MS - 1);
  assert.equal(wall.nowMs(), NOW_MS + HOLD_MS - 1);
  await clock.advance(1);
  assert.equal(wall.nowMs(), far + HOLD_MS);
});

test('there and back is as if nothing had been, and the next leap is held as long', async () => {
  const clock = new SimClock(NOW_MS);
  const wall = new CautiousWall(clock, HOLD_MS);
  wall.nowMs();
  for (let leap = 0; leap < 2; leap++) {
    clock.jumpWall(Date.UTC(2106, 1, 7), 'rtc');
    const before = wall.nowMs();
    await clock.advance(20 * DAY_MS);
    assert.equal(wall.nowMs(), (before ?? 0) + 20 * DAY_MS);
    clock.jumpWall(NOW_MS + (leap + 1) * 20 * DAY_MS, 'ntp');
    assert.equal(wall.nowMs(), clock.wallMs());
  }
});

test('a clock that nobody has set tells nothing, and the first time that somebody sets is believed', () => {
  const clock = new SimClock(600_000, 'unknown');
  const wall = new CautiousWall(clock, HOLD_MS);
  assert.equal(wall.nowMs(), undefined);
  clock.jumpWall(NOW_MS, 'ntp');
  assert.equal(wall.nowMs(), NOW_MS);
  clock.jumpWall(600_000, 'unknown');
  assert.equal(wall.nowMs(), undefined);
  clock.jumpWall(Date.UTC(2106, 1, 7), 'rtc');
  assert.equal(wall.nowMs(), NOW_MS, 'what was known before counts');
});
