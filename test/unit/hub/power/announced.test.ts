/** What `hub/power` says: the figures of the status page, under the same names. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { openMainsPower } from '../../../support/simulated/mains-power.ts';

test('a figure that nothing measures is null in hub/power, as in the status', () => {
  const power = openMainsPower(new SimClock(Date.UTC(2026, 10, 27, 12)));
  const said = JSON.parse(new TextDecoder().decode(power.advice())) as Record<string, unknown>;
  const { override: _, ...status } = power.status();
  assert.deepEqual({ ...said, ...status }, said);
  for (const figure of ['socPct', 'socErrPct', 'batteryV', 'pvW', 'loadW', 'curtailed']) {
    assert.equal(said[figure], null, figure);
  }
});
