import assert from 'node:assert/strict';
import { test } from 'vitest';

import { faultText, planFaults } from '../../../../src/pilot/world/faults.ts';
import { FAULT_KINDS } from '../../../../src/pilot/scenario.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';

const ALL = new Set(FAULT_KINDS);

test('a seed plans the same month again, another seed another one', () => {
  const plan = planFaults(30, ALL, new SeededRandom(3));
  assert.deepEqual(planFaults(30, ALL, new SeededRandom(3)), plan);
  assert.notDeepEqual(planFaults(30, ALL, new SeededRandom(4)), plan);
  assert.ok(plan.every(({ minute }, index) => minute >= (plan[index - 1]?.minute ?? 0)));
  assert.ok(plan.every(({ minute }) => minute >= 120 && minute < 30 * 1_440));
});

test('a month has every kind, and a kind that is switched off is absent while the others stay as they are', () => {
  const plan = planFaults(30, ALL, new SeededRandom(3));
  assert.deepEqual(new Set(plan.map(({ event }) => event.kind)), ALL);
  const quieter = planFaults(30, new Set(['link', 'kill'] as const), new SeededRandom(3));
  const kept = plan.filter(({ event }) => event.kind === 'link' || event.kind === 'kill');
  assert.deepEqual(quieter, kept);
  assert.deepEqual(planFaults(30, new Set(), new SeededRandom(3)), []);
});

test('every fault has its words', () => {
  for (const { event } of planFaults(90, ALL, new SeededRandom(1))) {
    assert.match(faultText(event), /^[a-z].{8,60}$/);
  }
});
