import assert from 'node:assert/strict';
import { test } from 'vitest';

import { type Evaluation, POLICIES, type Policy } from '../../../src/pilot/world/light-model.ts';
import { type EvaluationByPolicy, isAttainable, measuresOf } from '../../../src/pilot/measures.ts';
import { Oracle } from '../../../src/pilot/oracle.ts';
import { perClass } from '../../../src/model/class.ts';
import { backlogOf } from '../power/support.ts';

function evaluation(policy: Policy, figures: Partial<Evaluation> = {}): Evaluation {
  const none = perClass(() => 0);
  const rates = { radioWhPerDay: 10, sessionsPerDay: 10 };
  return { policy, downRatio: 0, lateRatio: none, meanHours: none, ...rates, ...figures };
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
  const dark = { downRatio: 0.1 };
  assert.ok(!isAttainable(byPolicy({ deadlines: dark })));
  assert.ok(isAttainable(byPolicy({ deadlines: dark, never: dark })));
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
