import assert from 'node:assert/strict';
import { beforeEach, test } from 'vitest';

import { Estimator } from '../../../../src/power/estimate/estimator.ts';
import type { Reading } from '../../../../src/power/estimate/reading.ts';
import { faultsOf, type PowerFault } from '../../../../src/power/source-faults.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { BATTERY, MINUTE_MS } from '../support.ts';

const REFUSED = ['meter batteryAmps'];
let estimator: Estimator;
let at: number;

beforeEach(() => {
  estimator = new Estimator(BATTERY, ['meter'], { charge: { percent: 80, errorPoints: 2 } });
  at = 0;
});

/** The same every ten seconds; which figures are not believed then. */
function tell(
  minutes: number,
  batteryVolts: number,
  batteryAmps: number,
  pvWatts?: number,
): readonly string[] {
  const panel: Partial<Reading> = pvWatts === undefined ? {} : { pvWatts };
  for (const endMs = at + minutes * MINUTE_MS; at < endMs; at += 10_000) {
    const batteryWatts = batteryVolts * batteryAmps;
    estimator.accept(0, {
      atMs: at,
      quality: 'good',
      batteryVolts,
      batteryAmps,
      batteryWatts,
      ...panel,
    });
  }
  return estimator.estimate(at).suspects;
}

function faults(): PowerFault[] {
  const suspects = estimator.suspectsOf(0, at);
  return faultsOf({ name: 'meter', lostSince: undefined, suspects }, new SimClock(at));
}

test('a battery that is told to give at the voltage of its charger: the wires are swapped', () => {
  tell(60, 13.5, -3);
  assert.deepEqual(tell(5, 14.2, -2), [], 'a cloud');
  assert.deepEqual(tell(60, 13.3, 0.3), []);
  assert.deepEqual(tell(11, 14.2, -2), REFUSED);
  assert.deepEqual(tell(600, 13.2, 0.3), REFUSED, 'at night it would count upwards');
  assert.equal(estimator.estimate(at).socPct, undefined);
  assert.equal(estimator.estimate(at).batteryW, undefined);
  assert.match(faults()[0]?.message ?? '', /is not believed: it is wired the other way round$/);
  assert.deepEqual(tell(3, 14.2, 2), [], 'somebody has swapped them back');
  assert.equal(estimator.estimate(at).batteryW, 28.4);
});

test('a charger that tells of no current at night does not see the load: no charge is counted, no load derived', () => {
  assert.deepEqual(tell(600, 13.4, 2, 28), []);
  assert.deepEqual(tell(50, 13.3, 0, 0), []);
  assert.deepEqual(tell(20, 13.2, -0.02, 0), REFUSED);
  tell(300, 13.4, 2, 28);
  const { socPct, loadW, pvW, batteryV } = estimator.estimate(at);
  assert.deepEqual([socPct, loadW, pvW, batteryV], [undefined, undefined, 28, 13.4]);
  assert.deepEqual(faults(), [], 'a charger is made like that');
  assert.deepEqual(tell(3, 13.2, -0.3, 0), [], 'the hub hangs on its load output now');
});
