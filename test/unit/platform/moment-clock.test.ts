import assert from 'node:assert/strict';
import { test } from 'vitest';

import { MomentClock } from '../../../src/platform/clock.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';

test('a moment lasts as long as nothing is awaited, and then the clock is read again', async () => {
  const sim = new SimClock(1_000, 'unknown');
  const clock = new MomentClock(sim);
  assert.equal(clock.wallMs(), 1_000);
  sim.jumpWall(5_000, 'ntp');
  assert.deepEqual([clock.wallMs(), clock.quality()], [1_000, 'unknown']);
  await sim.advance(250);
  assert.deepEqual([clock.wallMs(), clock.quality(), clock.monotonicMs()], [5_250, 'ntp', 250]);
});
