/** Sensors that jump, stick or leave their range are flagged and never believed, whatever else they say. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { type BatteryEstimate, Estimator } from '../../src/power/estimate/estimator.ts';
import { BATTERY, HOUR_MS } from '../unit/power/support.ts';

const POLL_MS = 10_000;
/** Shorter than five minutes: after that a jump is a fact. */
const GLITCH_POLLS_MAX = 20;

/** A stretch of honest readings, and a glitch at its end. */
const anyStretch = fc.record({
  honest: fc.integer({ min: 1, max: 40 }),
  drift: fc.double({ min: -0.001, max: 0.001, noNaN: true }),
  glitch: fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { maxLength: GLITCH_POLLS_MAX }),
});

test('a charge that jumps is flagged and not believed', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.2, max: 0.8, noNaN: true }),
      fc.array(anyStretch, { minLength: 1, maxLength: 12 }),
      (start, stretches) => {
        const estimator = new Estimator(BATTERY, ['bmv']);
        let truth = start;
        let atMs = 0;
        const tell = (socRatio: number): BatteryEstimate => {
          atMs += POLL_MS;
          estimator.accept(0, { atMs, socRatio, quality: 'good' });
          return estimator.estimate(atMs);
        };
        for (const { honest, drift, glitch } of stretches) {
          for (let poll = 0; poll < honest; poll++) {
            truth = Math.min(0.9, Math.max(0.1, truth + drift));
            const { socPct = Number.NaN } = tell(truth);
            assert.ok(Math.abs(socPct - 100 * truth) < 1e-9, 'honest again, believed again');
          }
          for (const offset of glitch) {
            const told = truth + (offset < 0 ? offset - 0.11 : offset + 0.11);
            const { socPct, suspects } = tell(told);
            assert.ok(socPct === undefined || Math.abs(socPct - 100 * truth) < 1e-9, `${socPct} %`);
            assert.deepEqual(suspects, ['bmv socRatio']);
          }
        }
      },
    ),
  );
});

test('what no site of this size can have is never shown', () => {
  const anyFigure = fc.option(fc.double({ min: -1e6, max: 1e6 }), { nil: undefined });
  const anyReading = fc.record({
    batteryVolts: anyFigure,
    batteryAmps: anyFigure,
    batteryWatts: anyFigure,
    socRatio: fc.option(fc.double({ min: -2, max: 2 }), { nil: undefined }),
    pvWatts: anyFigure,
    loadWatts: anyFigure,
  });
  fc.assert(
    fc.property(fc.array(anyReading, { minLength: 1, maxLength: 60 }), (readings) => {
      const estimator = new Estimator(BATTERY, ['odd']);
      readings.forEach((figures, index) => {
        const atMs = index * POLL_MS;
        const told = Object.entries(figures).filter(([, value]) => value !== undefined);
        estimator.accept(0, { ...Object.fromEntries(told), atMs, quality: 'good' });
        const { socPct, socErrPct, batteryV, pvW, loadW } = estimator.estimate(atMs);
        const isWithin = (value: number | undefined, least: number, most: number): boolean =>
          value === undefined || (value >= least && value <= most);
        assert.ok(isWithin(socPct, 0, 100), `${socPct} %`);
        assert.ok(isWithin(socErrPct, 0, 100), `± ${socErrPct}`);
        assert.ok(isWithin(batteryV, 6, 19.2), `${batteryV} V`);
        assert.ok(isWithin(pvW, 0, 12_800), `${pvW} W from the panel`);
        assert.ok(isWithin(loadW, 0, 30_000), `${loadW} W of load`);
      });
    }),
  );
});

test('a current that never changes is believed for a day and not longer; one change makes it a sensor again', () => {
  const anyAmps = fc.double({ min: 0.1, max: 20, noNaN: true });
  fc.assert(
    fc.property(anyAmps, fc.boolean(), fc.integer({ min: 25, max: 60 }), (amps, out, hours) => {
      const estimator = new Estimator(BATTERY, ['shunt']);
      const stuck = out ? -amps : amps;
      const suspectsAt = (atMs: number, batteryAmps: number): readonly string[] => {
        estimator.accept(0, { atMs, batteryVolts: 13.2, batteryAmps, quality: 'good' });
        return estimator.estimate(atMs).suspects;
      };
      for (let hour = 0; hour <= hours; hour++) {
        const suspects = suspectsAt(hour * HOUR_MS, stuck);
        assert.deepEqual(suspects, hour > 24 ? ['shunt batteryAmps'] : []);
      }
      const laterMs = (hours + 1) * HOUR_MS;
      assert.deepEqual(suspectsAt(laterMs, stuck + 0.01), [], 'flagged for two minutes only');
    }),
    { numRuns: 50 },
  );
});
