/** The governor against plain policies over simulated months (pilot/world/light-model.ts says how). */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';

import { SeededSky } from '../../src/platform/sim/sky.ts';
import {
  type Evaluation,
  evaluate,
  type Policy,
  SMALL_LTE,
  SMALL_SATELLITE,
  SMALL_WIFI,
  type SitePreset,
} from '../../src/pilot/world/light-model.ts';
import { seededScenario } from '../../src/pilot/scenario.ts';
import { readTrace } from '../../src/pilot/world/trace.ts';

const HOUR_MS = 3_600_000;
const RECORD = 2;
const TELEMETRY = 3;
const PLACE = { latitude: 25, longitude: -80 };
const REFERENCE =
  process.env['HELIOGRAPH_REFERENCE_DATA'] ??
  fileURLToPath(new URL('../../../shared/data', import.meta.url));
const TRACE = `${REFERENCE}/solar/miami-tmy2-hourly.csv`;

function month(preset: SitePreset, policy: Policy, seed: number): Evaluation {
  const startMs = Date.parse('2026-01-10T05:20:00Z') + seed * 30 * 86_400_000;
  return evaluate({
    preset,
    policy,
    sky: new SeededSky(PLACE, seed),
    place: PLACE,
    startMs,
    days: 30,
    seed,
  });
}

describe.each([
  ['satellite, a month with dark days', SMALL_SATELLITE, 1],
  ['satellite, a bright month', SMALL_SATELLITE, 5],
  ['LTE, a month with dark days', SMALL_LTE, 1],
  ['Wi-Fi, a month with dark days', SMALL_WIFI, 7],
] as const)('%s', (_title, preset, seed) => {
  test('the site stays up, everything is in time, for less than half of the hourly energy', () => {
    const never = month(preset, 'never', seed);
    const hourly = month(preset, 'hourly', seed);
    const ours = month(preset, 'heliograph', seed);
    assert.ok(ours.downRatio <= never.downRatio + 0.005, `down ${ours.downRatio}`);
    assert.ok(ours.lateRatio[0] <= 0.02, `alarms late ${ours.lateRatio[0]}`);
    assert.ok(ours.lateRatio[RECORD] <= hourly.lateRatio[RECORD] + 0.01);
    assert.ok(ours.lateRatio[TELEMETRY] <= hourly.lateRatio[TELEMETRY] + 0.01);
    assert.ok(ours.radioWhPerDay <= 0.5 * hourly.radioWhPerDay, `${ours.radioWhPerDay} Wh a day`);
  });
});

test('a winter month that is too dark for the site: up for longer than under any policy that delivers', () => {
  const { preset, place, sky, startMs } = seededScenario(11, {
    preset: SMALL_SATELLITE,
    days: 30,
    devices: 50,
    faults: new Set(),
  });
  const of = (policy: Policy): Evaluation =>
    evaluate({ preset, policy, sky, place, startMs, days: 30, seed: 11 });
  const ours = of('heliograph');
  const hourly = of('hourly');
  const threshold = of('threshold');
  const deadlines = of('deadlines');
  assert.ok(deadlines.downRatio > of('never').downRatio + 0.005, 'no policy could do both');
  assert.ok(ours.downRatio < 0.6 * hourly.downRatio);
  assert.ok(ours.downRatio < deadlines.downRatio + 0.01);
  assert.ok(ours.lateRatio[0] < threshold.lateRatio[0]);
  assert.ok(
    ours.lateRatio[0] <= of('oracle').lateRatio[0] + 0.02,
    'kept for them, not spent on records',
  );
  assert.ok(ours.lateRatio[RECORD] < 0.5 * threshold.lateRatio[RECORD]);
  assert.ok(
    ours.lateRatio[RECORD] < 0.6 * hourly.lateRatio[RECORD],
    'one last call, as late as can be',
  );
  assert.ok(ours.radioWhPerDay < 0.5 * hourly.radioWhPerDay);
});

test('the seeded sky is as fickle as measured ones: a day says as much about the next', () => {
  const dayWh = (sky: SeededSky, startMs: number, day: number): number => {
    let sum = 0;
    for (let hour = 0.5; hour < 24; hour++)
      sum += sky.ghiWm2(startMs + (24 * day + hour) * HOUR_MS);
    return sum;
  };
  let error = 0;
  let total = 0;
  for (let seed = 1; seed <= 24; seed++) {
    const sky = new SeededSky(PLACE, seed);
    const startMs = Date.parse('2026-01-10T05:20:00Z') + (seed % 12) * 30 * 24 * HOUR_MS;
    for (let day = 1; day < 30; day++) {
      const today = dayWh(sky, startMs, day);
      error += Math.abs(today - dayWh(sky, startMs, day - 1));
      total += today;
    }
  }
  assert.ok(error / total > 0.15 && error / total < 0.25, `${error / total}`);
});

test.skipIf(!existsSync(TRACE))(
  'LTE on a real June (skipped where the reference data are absent)',
  () => {
    const { sky, startMs } = readTrace(readFileSync(TRACE, 'utf8'), TRACE);
    const of = (policy: Policy): Evaluation =>
      evaluate({
        preset: SMALL_LTE,
        policy,
        sky,
        place: PLACE,
        startMs: startMs + 150 * 86_400_000,
        days: 30,
        seed: 7,
      });
    const ours = of('heliograph');
    assert.equal(ours.downRatio, of('never').downRatio);
    assert.equal(ours.lateRatio[RECORD], 0);
    assert.ok(ours.radioWhPerDay <= 0.5 * of('hourly').radioWhPerDay);
  },
);
