/** Sending by hand while the hub's clock is put right: it ends after its length of time, whatever the clock said. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { openMainsPower } from '../../../support/simulated/mains-power.ts';

const MINUTE_MS = 60_000;
const TRUE_MS = Date.UTC(2026, 10, 27, 12);

test.each([
  ['in 1970', 0],
  ['in 2030', Date.UTC(2030, 0, 1)],
  ['an hour behind', TRUE_MS - 60 * MINUTE_MS],
])('begun with a clock %s', async (_, wrongMs) => {
  const clock = new SimClock(wrongMs, 'unknown');
  const { override } = openMainsPower(clock);
  await clock.advance(MINUTE_MS);
  override.begin(30 * MINUTE_MS, 'ana');
  assert.deepEqual(override.current(), {
    untilMs: wrongMs + 31 * MINUTE_MS,
    who: 'ana',
    isHeld: false,
  });
  await clock.advance(10 * MINUTE_MS);
  clock.jumpWall(TRUE_MS, 'ntp');
  assert.deepEqual(override.current(), {
    untilMs: TRUE_MS + 20 * MINUTE_MS,
    who: 'ana',
    isHeld: false,
  });
  await clock.advance(20 * MINUTE_MS - 1);
  assert.equal(override.current()?.who, 'ana');
  await clock.advance(1);
  assert.equal(override.current(), undefined);
});

test('it can be ended', () => {
  const { override } = openMainsPower(new SimClock(0));
  override.begin(30 * MINUTE_MS, 'ana');
  override.begin(0, 'ana');
  assert.equal(override.current(), undefined);
});
