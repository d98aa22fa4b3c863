import assert from 'node:assert/strict';
import { test } from 'vitest';

import { darknessOf } from '../../../../src/pilot/judging/darkness.ts';
import {
  type Course,
  type Evaluation,
  POLICIES,
  type Policy,
  SMALL_SATELLITE,
} from '../../../../src/pilot/world/light-model.ts';
import {
  attainable,
  darkText,
  type EvaluationByPolicy,
  isMissedByAll,
  measuresOf,
} from '../../../../src/pilot/judging/measures.ts';
import { Oracle } from '../../../../src/pilot/judging/oracle.ts';
import { perClass } from '../../../../src/model/class.ts';
import { backlogOf } from '../../power/support.ts';

function evaluation(policy: Policy, figures: Partial<Evaluation> = {}): Evaluation {
  const none = perClass(() => 0);
  const rates = { radioWhPerDay: 10, sessionsPerDay: 10 };
  const counts = { downRatio: 0, born: none, lateRatio: none, meanHours: none };
  return { policy, ...counts, ...rates, ...figures };
}

function byPolicy(own: Partial<Record<Policy, Partial<Evaluation>>>): EvaluationByPolicy {
  const entries = POLICIES.map((policy) => [policy, evaluation(policy, own[policy])] as const);
  return Object.fromEntries(entries) as unknown as EvaluationByPolicy;
}

const missedIn = (by: EvaluationByPolicy): string[] =>
  measuresOf(by)
    .filter(({ holds }) => !holds)
    .map(({ name }) => name);

test('each measure is held against its own policy, to the point', () => {
  const cheap = { radioWhPerDay: 5 };
  assert.deepEqual(missedIn(byPolicy({ heliograph: cheap })), []);
  assert.deepEqual(missedIn(byPolicy({ heliograph: { radioWhPerDay: 5.1 } })), ['Wh a day']);
  const late = perClass((opClass) => (opClass === 0 ? 0.021 : 0.011));
  const missed = missedIn(
    byPolicy({ heliograph: { ...cheap, downRatio: 0.006, lateRatio: late } }),
  );
  assert.deepEqual(missed, ['site down', 'alarms late', 'records late', 'readings late']);
});

test('what perfect foresight and the fewest sessions miss, too, is told apart from what only ours misses', () => {
  const of = (oracle: number, deadlines: number, ours: number): readonly string[] =>
    measuresOf(
      byPolicy({
        oracle: { downRatio: oracle },
        deadlines: { downRatio: deadlines },
        heliograph: { downRatio: ours, radioWhPerDay: 5 },
      }),
    )
      .filter(isMissedByAll)
      .map(({ name, best }) => `${name} ${best}`);
  assert.deepEqual(of(0.02, 0.006, 0.007), ['site down 0.006']);
  assert.deepEqual(of(0.006, 0.02, 0.007), ['site down 0.006']);
  assert.deepEqual(of(0.004, 0.02, 0.007), [], 'foresight holds it');
  assert.deepEqual(of(0.02, 0.004, 0.007), [], 'fewer sessions hold it');
  assert.deepEqual(of(0.02, 0.02, 0.004), [], 'ours holds it');
});

/** A month of which the first `darkDays` fill nothing and end with `spareWh` above the cut-off; then the battery is full. */
function monthOf(darkDays: number, spareWh: number): Course {
  const minutes = Array.from({ length: 30 * 1_440 }, (_, minute) => minute);
  const isDark = (minute: number): boolean => minute < darkDays * 1_440;
  return {
    storedWh: minutes.map((it) => (isDark(it) ? 25.6 + spareWh : 256)),
    spiltWh: minutes.map((it) => (isDark(it) ? 0 : 0.1)),
    isOn: minutes.map(() => true),
  };
}

test('what no policy can do is told by bookkeeping, what ours cannot by the fewest sessions', () => {
  const of = (course: Course, own: Parameters<typeof byPolicy>[0]): string =>
    attainable(byPolicy(own), course, SMALL_SATELLITE).kind;
  const dark = { downRatio: 0.1 };
  assert.equal(of(monthOf(0, 10), {}), 'yes');
  assert.equal(of(monthOf(0, 10), { deadlines: dark }), 'doubtful');
  assert.equal(of(monthOf(0, 10), { deadlines: dark, never: dark }), 'yes');
  assert.equal(of(monthOf(0, 10), { never: { downRatio: 0.93 } }), 'off');
  assert.equal(of(monthOf(10, 0), {}), 'no', 'ten days for the energy of eleven sessions');
  assert.equal(of(monthOf(10, 40), {}), 'yes', 'it pays for one every six hours');
  const late = perClass(() => 0.3);
  assert.equal(of(monthOf(10, 0), { hourly: { lateRatio: late } }), 'yes', 'nobody asks for more');
});

test('what stands against the measures is told in a sentence', () => {
  const of = (course: Course, own: Parameters<typeof byPolicy>[0]): string | undefined =>
    darkText(attainable(byPolicy(own), course, SMALL_SATELLITE));
  assert.equal(of(monthOf(0, 10), {}), undefined);
  const deadlines = { downRatio: 0.1, sessionsPerDay: 4.6 };
  assert.match(
    of(monthOf(0, 10), { deadlines }) ?? '',
    /^the fewest sessions .*, 4\.6 a day, .* for 10\.0 % of the time; 0\.5 % are allowed\.$/,
  );
  const born = perClass(() => 121);
  assert.match(
    of(monthOf(0, 10), { never: { downRatio: 0.93 }, heliograph: { born } }) ?? '',
    /is off for 93\.0 % of the time\. What is late is a share of the 121 records/,
  );
  assert.match(of(monthOf(10, 0), {}) ?? '', /^from day 0\.0 to 10\.0 the sun leaves /);
});

test('the bookkeeping of a dark stretch', () => {
  const found = darknessOf(monthOf(10, 10.5), SMALL_SATELLITE, 0);
  assert.deepEqual([found?.fromDay, found?.sessions, found?.sessionsNeeded], [0, 10, 39]);
  assert.ok(Math.abs((found?.recordsLateRatio ?? 0) - (239 - 66) / 720) < 1e-9);
  const down = darknessOf(monthOf(10, 10.5), SMALL_SATELLITE, 0.005);
  assert.equal(
    down?.sessions,
    22,
    'what the site does not draw while it is down is there for sync',
  );
  assert.equal(darknessOf(monthOf(2, 10.5), SMALL_SATELLITE, 0), undefined);
});

test('the bookkeeping of a dark stretch counts what is spilt in it, and what the site draws when it need not be down', () => {
  const dark = 240;
  const course = monthOf(10, 10);
  const spilling = { ...course, spiltWh: course.spiltWh.map((wh) => (wh === 0 ? 0.9 / 600 : wh)) };
  const spilt = darknessOf(spilling, SMALL_SATELLITE, 0);
  assert.ok(spilt !== undefined);
  const spiltHours = 24 * (spilt.toDay - spilt.fromDay) + 1;
  assert.ok(Math.abs(spilt.spareWh - (10 + 0.09 * spiltHours)) < 1e-6, `${spilt.spareWh} Wh`);
  const downFor = (hours: number): Course => {
    return {
      ...course,
      isOn: course.isOn.map((_, minute) => minute < 3_000 || minute >= 3_000 + 60 * hours),
    };
  };
  const down = darknessOf(downFor(2), SMALL_SATELLITE, 0.005);
  const downMax = 0.005 * 720;
  assert.ok(Math.abs((down?.spareWh ?? 0) - (10 + 3.2 * (downMax - 2))) < 1e-6);
  const uncovered = dark - 1 - 6 * 16 - downMax;
  assert.ok(Math.abs((down?.recordsLateRatio ?? 0) - uncovered / 720) < 1e-9);
  const longDown = darknessOf(downFor(10), SMALL_SATELLITE, 0);
  assert.equal(longDown?.sessions, 0, 'there are no fewer than none');
  assert.ok(Math.abs((longDown?.recordsLateRatio ?? 0) - (dark - 1 - 6) / 720) < 1e-9);
});

test('the oracle spends what the sun will give back, and never the reserve', () => {
  const minutes = 600;
  const alarm = backlogOf({ 0: { oldestMs: 1_000 } });
  const records = backlogOf({ 2: { oldestMs: 1_000 } });
  const of = (spiltAt: number, lowestWh: number): Oracle =>
    new Oracle({
      storedWh: Array.from({ length: minutes }, (_, at) => (at === 300 ? lowestWh : 50)),
      spiltWh: Array.from({ length: minutes }, (_, at) => (at === spiltAt ? 5 : 0)),
      reserveWh: 38,
      sessionWh: 1,
    });
  assert.ok(of(200, 38).choose(60, 50, records).length > 0, 'given back before the low point');
  assert.deepEqual(of(400, 38).choose(60, 50, records), [], 'it would be missing at the low point');
  assert.ok(of(400, 40).choose(60, 50, records).length > 0, 'the low point can bear it');
  assert.deepEqual(of(400, 40).choose(60, 48, records), [], 'but not what was spent before, too');
  assert.deepEqual(of(200, 38).choose(61, 50, records), [], 'records gather for an hour');
  assert.ok(of(400, 38).choose(61, 50, alarm).length > 0, 'an alarm goes at once');
  assert.deepEqual(of(200, 38).choose(61, 38.5, alarm), [], 'but not into the reserve');
});
