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

test('power is told by whom the battery trusts most, be it as watts or as volts and amperes', () => {
  const estimator = new Estimator(BATTERY, ['charger', 'board']);
  estimator.accept(0, reading(0, { batteryVolts: 13, batteryAmps: 2, pvWatts: 30 }));
  estimator.accept(1, reading(0, { batteryWatts: -4, batteryVolts: 13.1, batteryAmps: -0.3 }));
  assert.deepEqual([estimator.estimate(0).batteryW, estimator.estimate(0).loadW], [26, 4]);
  const other = new Estimator(BATTERY, ['board', 'charger']);
  other.accept(0, reading(0, { batteryWatts: -4 }));
  other.accept(1, reading(0, { batteryVolts: 13, batteryAmps: 2, pvWatts: 30 }));
  assert.deepEqual([other.estimate(0).batteryW, other.estimate(0).loadW], [-4, 34]);
});

test('a power that came of a voltage that cannot be is believed as little', () => {
  const estimator = new Estimator(BATTERY, ['board']);
  const figures = { batteryVolts: -13, batteryAmps: -0.3, batteryWatts: 3.9, loadWatts: 2 };
  estimator.accept(0, reading(0, figures));
  const { batteryW, loadW, suspects } = estimator.estimate(0);
  assert.deepEqual([batteryW, loadW, suspects], [undefined, undefined, ['board batteryVolts']]);
});

test('a panel that gives a little less than nothing gives nothing; much less is no panel', () => {
  const estimator = new Estimator(BATTERY, ['board']);
  estimator.accept(0, reading(0, { pvWatts: -0.4, loadWatts: -0.9 }));
  const { pvW, loadW, suspects } = estimator.estimate(0);
  assert.deepEqual([pvW, loadW, suspects], [0, 0, []]);
  estimator.accept(0, reading(10_000, { pvWatts: -4, loadWatts: -9 }));
  assert.deepEqual(estimator.estimate(10_000).suspects, ['board pvWatts', 'board loadWatts']);
});

test.each([
  ['batteryVolts', 13.2, 9.9, 13.3],
  ['tempC', 25, 60, 26],
] as const)('a %s that jumps is flagged until it has stayed', (field, usual, odd, next) => {
  const estimator = new Estimator(BATTERY, ['meter']);
  const suspectsOf = (atMs: number, value: number): readonly string[] => {
    estimator.accept(0, reading(atMs, { [field]: value }));
    return estimator.estimate(atMs).suspects;
  };
  assert.deepEqual(suspectsOf(0, usual), []);
  assert.deepEqual(suspectsOf(10_000, next), []);
  assert.deepEqual(suspectsOf(20_000, odd), [`meter ${field}`]);
  assert.equal(estimator.estimate(20_000).batteryV, field === 'batteryVolts' ? next : undefined);
  let atMs = 30_000;
  for (; atMs < 6 * MINUTE_MS; atMs += 10_000) suspectsOf(atMs, odd);
  assert.deepEqual(suspectsOf(atMs + 3 * MINUTE_MS, odd), [], 'what stays is true');
});

test('a panel that gives the same through a day and a night is a stuck sensor; at night it may give nothing', () => {
  const estimator = new Estimator(BATTERY, ['stuck', 'dark']);
  for (let at = 0; at <= 25 * HOUR_MS; at += 30_000) {
    estimator.accept(0, reading(at, { pvWatts: 12 }));
    estimator.accept(1, reading(at, { pvWatts: 0 }));
  }
  assert.deepEqual(estimator.estimate(25 * HOUR_MS).suspects, ['stuck pvWatts']);
});

test('a charge that stands still while much more flows than it could hide is stuck, and is counted on', () => {
  const estimator = new Estimator(BATTERY, ['gauge']);
  // 6.4 W out of 256 Wh are two and a half percent an hour.
  const amps = -6.4 / 12;
  let at = 0;
  const drain = (hours: number): void => {
    for (const endMs = at + hours * HOUR_MS; at < endMs; at += 30_000)
      estimator.accept(0, reading(at, { batteryVolts: 12, batteryAmps: amps, socRatio: 0.8 }));
  };
  drain(10);
  assert.deepEqual(estimator.estimate(at).suspects, []);
  drain(4);
  const { socPct, socErrPct, socOrigin, suspects } = estimator.estimate(at);
  assert.deepEqual([suspects, socOrigin], [['gauge socRatio'], 'counted']);
  assert.ok(Math.abs((socPct ?? 0) - 45) < 2, `${socPct} %`);
  assert.ok((socErrPct ?? 0) > 3, `± ${socErrPct}`);
  estimator.accept(0, reading(at, { socRatio: 0.44 }));
  assert.deepEqual(
    [estimator.estimate(at).socPct, estimator.estimate(at).socOrigin],
    [44, 'source'],
    'it moves again',
  );
});

test('a full battery that is full for weeks is not stuck, nor is one that hardly moves', () => {
  const estimator = new Estimator(BATTERY, ['gauge']);
  for (let at = 0; at <= 20 * 24 * HOUR_MS; at += 50_000) {
    const batteryAmps = at < 10 * 24 * HOUR_MS ? 0.4 : -0.05;
    estimator.accept(0, reading(at, { batteryVolts: 13.6, batteryAmps, socRatio: 1 }));
    const told = estimator.estimate(at).suspects.filter((it) => it !== 'gauge batteryAmps');
    assert.deepEqual(told, []);
  }
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

test('while nobody counts a charge grows less sure: before the first reading, and for the next start', () => {
  const saved = { charge: { percent: 80, errorPoints: 3 } };
  const estimator = new Estimator(BATTERY, ['shunt'], saved, 0);
  estimator.accept(0, reading(6 * HOUR_MS, { batteryVolts: 13.2, batteryAmps: -0.3 }));
  const { socPct, socErrPct } = estimator.estimate(6 * HOUR_MS);
  assert.equal(socPct, 80);
  assert.ok((socErrPct ?? 0) > 15 && (socErrPct ?? 0) < 16, `± ${socErrPct}`);
  assert.equal(estimator.stateAt(6 * HOUR_MS).charge?.errorPoints, socErrPct);
  const later = estimator.stateAt(9 * HOUR_MS).charge?.errorPoints ?? 0;
  assert.ok(later > 21 && later < 22, `± ${later} for an adapter that was pulled three hours ago`);
  assert.deepEqual(estimator.stateAt(20 * HOUR_MS), {});
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

test('a charger that does not see the load tells no current all night: the voltage at rest refutes the count', () => {
  const counter = new ChargeCounter(BATTERY, { percent: 100, errorPoints: 1 });
  const rest = (fromMs: number, volts: number): number | undefined => {
    for (let at = fromMs; at <= fromMs + 2 * HOUR_MS; at += MINUTE_MS)
      counter.count({ atMs: at, amps: 0, volts });
    return counter.estimate?.percent;
  };
  assert.equal(rest(0, 13.3), 100, 'cables, cold and the flat middle may explain it');
  assert.ok((rest(3 * HOUR_MS, 13.2) ?? 100) < 45);
  assert.ok((rest(10 * HOUR_MS, 12.9) ?? 100) < 30);
  assert.ok((rest(20 * HOUR_MS, 12.4) ?? 100) < 16);
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
