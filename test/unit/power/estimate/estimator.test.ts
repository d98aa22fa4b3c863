import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Estimator } from '../../../../src/power/estimate/estimator.ts';
import type { Reading } from '../../../../src/power/estimate/reading.ts';
import { ChargeCounter, chargeAtRest } from '../../../../src/power/estimate/state-of-charge.ts';
import { thresholdsFor } from '../../../../src/power/govern/thresholds.ts';
import { BATTERY, HOUR_MS, MINUTE_MS } from '../support.ts';

function reading(atMs: number, fields: Partial<Reading>): Reading {
  return { atMs, quality: 'good', ...fields };
}

test('fields come from the first source in order that has them fresh', () => {
  const estimator = new Estimator(BATTERY, ['shunt', 'charger']);
  estimator.accept(1, reading(0, { batteryVolts: 13.1, pvWatts: 40, curtailed: false }));
  estimator.accept(0, reading(1_000, { batteryVolts: 13.2, socRatio: 0.8 }));
  const now = estimator.estimate(2_000);
  assert.equal(now.batteryV, 13.2);
  assert.equal(now.pvW, 40);
  assert.equal(now.socPct, 80);
  assert.deepEqual([now.source, now.ageS, now.socOrigin], ['shunt', 1, 'source']);
  const later = estimator.estimate(61_500);
  assert.equal(later.pvW, undefined, 'the charger has been silent for a minute');
  assert.equal(later.socPct, undefined, 'and so has the shunt');
  assert.equal(later.source, 'none');
  assert.equal(later.ageS, 60.5);
});

test('nothing heard is unknown in every field', () => {
  const estimate = new Estimator(BATTERY, ['a']).estimate(5);
  assert.deepEqual(
    [estimate.socPct, estimate.batteryV, estimate.mains, estimate.ageS],
    [undefined, undefined, false, Infinity],
  );
});

test('load follows from panel and battery where nobody measures it', () => {
  const estimator = new Estimator(BATTERY, ['a']);
  estimator.accept(0, reading(0, { batteryVolts: 13, batteryAmps: 2, pvWatts: 30 }));
  assert.equal(estimator.estimate(0).loadW, 4);
});

test('who tells the current alone is named: something is known of the battery', () => {
  const estimator = new Estimator(BATTERY, ['shunt']);
  estimator.accept(0, { atMs: 0, batteryAmps: -0.2, quality: 'good' });
  const { source, ageS } = estimator.estimate(2_000);
  assert.deepEqual([source, ageS], ['shunt', 2]);
});

test('a low-quality charge gives way to any better one, and carries a wide error', () => {
  const estimator = new Estimator(BATTERY, ['epever', 'shunt']);
  estimator.accept(0, reading(0, { socRatio: 0.99, quality: 'low' }));
  assert.deepEqual([estimator.estimate(0).socPct, estimator.estimate(0).socErrPct], [99, 15]);
  estimator.accept(1, reading(0, { socRatio: 0.5 }));
  assert.deepEqual([estimator.estimate(0).socPct, estimator.estimate(0).socErrPct], [50, 3]);
});

test('values out of range, and charges that jump, are flagged and not believed', () => {
  const estimator = new Estimator(BATTERY, ['bms']);
  estimator.accept(0, reading(0, { batteryVolts: 130, socRatio: 0.7 }));
  assert.equal(estimator.estimate(0).batteryV, undefined);
  assert.deepEqual(estimator.estimate(0).suspects, ['bms batteryVolts']);
  estimator.accept(0, reading(10_000, { socRatio: 0 }));
  assert.equal(estimator.estimate(10_000).socPct, 70);
  for (let at = 20_000; at <= 6 * MINUTE_MS; at += 10_000) {
    estimator.accept(0, reading(at, { socRatio: 0 }));
  }
  assert.equal(estimator.estimate(6 * MINUTE_MS).socPct, 0, 'what stays for five minutes is true');
});

test('a current that never changes through a day and a night is a stuck sensor', () => {
  const estimator = new Estimator(BATTERY, ['shunt']);
  for (let at = 0; at <= 25 * HOUR_MS; at += 30_000) {
    estimator.accept(0, reading(at, { batteryVolts: 13.2, batteryAmps: -0.3 }));
  }
  assert.deepEqual(estimator.estimate(25 * HOUR_MS).suspects, ['shunt batteryAmps']);
});

test('amperes are counted from the last anchor, also when the source of the charge goes away', () => {
  const estimator = new Estimator(BATTERY, ['bms', 'shunt']);
  estimator.accept(0, reading(0, { socRatio: 0.5 }));
  // 256 Wh at 12 V are 21.33 Ah; 2.1333 A for an hour are ten percent.
  for (let at = 10_000; at <= HOUR_MS; at += 10_000) {
    estimator.accept(1, reading(at, { batteryVolts: 13, batteryAmps: -2.1333 }));
  }
  const estimate = estimator.estimate(HOUR_MS);
  assert.equal(estimate.socOrigin, 'counted');
  assert.ok(Math.abs((estimate.socPct ?? 0) - 40) < 0.5, `${estimate.socPct} %`);
  assert.ok((estimate.socErrPct ?? 0) > 3 && (estimate.socErrPct ?? 0) < 4);
});

test('full: absorption voltage and a tail current for three minutes', () => {
  const counter = new ChargeCounter(BATTERY, { percent: 80, errorPoints: 10 });
  counter.count({ atMs: 0, amps: 0.5, volts: 14.2 });
  counter.count({ atMs: 2 * MINUTE_MS, amps: 0.5, volts: 14.2 });
  assert.notEqual(counter.estimate?.percent, 100);
  counter.count({ atMs: 3 * MINUTE_MS, amps: 0.5, volts: 14.2 });
  assert.deepEqual(counter.estimate, { percent: 100, errorPoints: 1 });
});

test('two hours of rest anchor by voltage, if that knows better than the count', () => {
  const lead = { chemistry: 'lead-acid', nominalVolts: 12, capacityWh: 600 } as const;
  const counter = new ChargeCounter(lead, { percent: 90, errorPoints: 20 });
  for (let at = 0; at <= 2 * HOUR_MS; at += MINUTE_MS)
    counter.count({ atMs: at, amps: -0.1, volts: 12.2 });
  assert.ok(Math.abs((counter.estimate?.percent ?? 0) - 60) < 0.01);
  const sure = new ChargeCounter(BATTERY, { percent: 55, errorPoints: 4 });
  for (let at = 0; at <= 2 * HOUR_MS; at += MINUTE_MS)
    sure.count({ atMs: at, amps: 0, volts: 13.25 });
  assert.equal(sure.estimate?.percent, 55, 'the flat middle of LiFePO4 knows less than the count');
});

test('hours that nobody counted make the charge worthless in the end', () => {
  const counter = new ChargeCounter(BATTERY, { percent: 50, errorPoints: 2 });
  counter.count({ atMs: 0, amps: 0 });
  counter.count({ atMs: 20 * HOUR_MS, amps: 0 });
  assert.equal(counter.estimate, undefined);
});

test('rest voltages of the table, by chemistry, size and temperature', () => {
  const lead = { chemistry: 'lead-acid', nominalVolts: 24, capacityWh: 600 } as const;
  assert.equal(chargeAtRest(lead, 24.4).percent, 60);
  assert.equal(chargeAtRest(lead, 30).percent, 100);
  assert.equal(chargeAtRest(lead, 20).percent, 0);
  assert.ok(chargeAtRest(lead, 24.4, -10).percent > chargeAtRest(lead, 24.4, 25).percent);
  assert.ok(chargeAtRest(BATTERY, 13.25).errorPoints > 8, 'flat: 30 mV are many percent');
});

test('thresholds: the config may move them, but not against their order', () => {
  const moved = thresholdsFor('lifepo4', 24, { bulkResumePct: 60, alarmsStopV: 25 });
  assert.equal(moved.percent.bulk.resume, 60);
  assert.equal(moved.percent.bulk.pause, 45);
  assert.equal(moved.volts.alarmsStop, 25);
  assert.equal(moved.volts.bulk.pause, 26.2);
  const bad = { telemetryPausePct: 50 };
  assert.throws(() => thresholdsFor('lifepo4', 12, bad), {
    code: 'config.invalid',
    message: /rise/,
  });
});
