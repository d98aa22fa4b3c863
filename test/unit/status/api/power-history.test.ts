import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { PowerHistory } from '../../../../src/status/api/power-history.ts';
import { NOON_MS } from '../../../support/made/status.ts';

function historyOf(clock: SimClock): PowerHistory {
  return new PowerHistory(clock, () => ({
    atMs: clock.wallMs(),
    socPct: 50,
    batteryV: null,
    pvW: null,
    loadW: null,
  }));
}

function times(history: PowerHistory): number[] {
  return history.since(0).map(({ atMs }) => (atMs - NOON_MS) / 60_000);
}

test('samples a minute, for a day and no longer', async () => {
  const clock = new SimClock(NOON_MS);
  const history = historyOf(clock);
  await clock.advance(3 * 60_000);
  assert.deepEqual(times(history), [0, 1, 2, 3]);
  assert.equal(history.since(NOON_MS + 2 * 60_000).length, 2);
  await clock.advance(30 * 3_600_000);
  assert.equal(history.since(0).length, 1440);
  history.close();
  assert.equal(clock.nextDueMs(), undefined);
});

test('the log gives a rough past, thinned to a line a minute, and nothing newer than the samples', () => {
  const clock = new SimClock(NOON_MS);
  const history = historyOf(clock);
  history.seed([
    { at: '2026-03-01T11:50:00Z', socPct: 40 },
    { at: '2026-03-01T11:50:30Z', socPct: 41 },
    { at: 'nonsense' },
    { at: '2026-03-01T11:55:00Z', pvW: 12 },
    { at: '2026-03-01T12:30:00Z', socPct: 99 },
  ]);
  assert.deepEqual(times(history), [-10, -5, 0]);
  assert.deepEqual(history.since(0)[1], {
    atMs: NOON_MS - 5 * 60_000,
    socPct: null,
    batteryV: null,
    pvW: 12,
    loadW: null,
  });
});

test('a clock that is set back does not fold the line over', async () => {
  const clock = new SimClock(NOON_MS);
  const history = historyOf(clock);
  await clock.advance(10 * 60_000);
  clock.jumpWall(NOON_MS + 2.5 * 60_000, 'ntp');
  await clock.advance(60_000);
  assert.deepEqual(times(history), [0, 1, 2, 3, 3.5]);
});
