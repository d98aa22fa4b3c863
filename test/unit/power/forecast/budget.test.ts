import assert from 'node:assert/strict';
import { test } from 'vitest';

import {
  type Budget,
  isFree,
  nextFloor,
  planBudget,
} from '../../../../src/power/forecast/budget.ts';
import type { HourAhead } from '../../../../src/power/forecast/forecast.ts';
import { Planner } from '../../../../src/power/forecast/planner.ts';
import { CONFIG, estimateOf, HOUR_MS, LFP } from '../support.ts';

/** Night for `dark` hours, then sun of `watts` for ten, and night again. */
function aheadOf(dark: number, watts: number, low = 0.6): HourAhead[] {
  return Array.from({ length: 36 }, (_, hour) => {
    const medianWatts = hour >= dark && hour < dark + 10 ? watts : 0;
    return { wallMs: hour * HOUR_MS, medianWatts, lowWatts: low * medianWatts };
  });
}

function budgetOf(storedWh: number, ahead: HourAhead[]): Budget {
  const figures = { capacityWh: 256, baseWatts: 3.2, alarmsStopPct: 15, floorPct: 15 };
  return planBudget({ storedWh, ahead, ...figures });
}

test('a night before a good day: what is left at dawn above the reserve may be spent', () => {
  const budget = budgetOf(150, aheadOf(10, 30));
  assert.ok(Math.abs(budget.recordWh - (150 - 32 - 38.4)) < 1e-9);
  assert.ok(Math.abs(budget.alarmWh - (150 - 38.4)) < 1e-9);
  assert.equal(budget.fullInMs, 16 * HOUR_MS);
  assert.ok(budget.spillWh > 50);
  assert.ok(budget.bulkWh < budget.recordWh);
});

test('a dark day and a half: nothing for bulk, little for records, and it says when levels are crossed', () => {
  const budget = budgetOf(150, aheadOf(10, 2));
  assert.equal(budget.fullInMs, undefined);
  assert.equal(budget.spillWh, 0);
  assert.ok(budget.bulkWh < 0);
  assert.ok((budget.fallsTo(45) ?? 0) > HOUR_MS);
  assert.equal(budget.risesTo(80), undefined);
});

test('energy is free when it would be spilled within four hours, and only then', () => {
  assert.equal(isFree(budgetOf(250, aheadOf(0, 30)), 1), true);
  assert.equal(isFree(budgetOf(250, aheadOf(10, 30)), 1), false);
  assert.equal(isFree(budgetOf(150, aheadOf(0, 5)), 1), false);
});

test('the floor rises by days that reach it, falls by days that are full, within its limits', () => {
  const limits = { pause: 15, resume: 80 };
  assert.equal(nextFloor(15, { lowestPct: 14, highestPct: 50 }, limits), 20);
  assert.equal(nextFloor(30, { lowestPct: 40, highestPct: 86 }, limits), 25);
  assert.equal(nextFloor(30, { lowestPct: 40, highestPct: 97 }, limits), 20);
  assert.equal(nextFloor(80, { lowestPct: 70, highestPct: 71 }, limits), 80);
  assert.equal(nextFloor(15, { lowestPct: 40, highestPct: 97 }, limits), 15);
});

test('the planner has a plan only where charge and date are known', () => {
  const planner = new Planner(CONFIG.site, 256, LFP.percent);
  const input = {
    nowMs: 0,
    wallMs: Date.parse('2026-03-01T12:00:00Z'),
    dateTrusted: true,
    sessionOpen: false,
  };
  assert.equal(planner.plan({ ...input, estimate: estimateOf(undefined, 0) }), undefined);
  assert.equal(
    planner.plan({ ...input, dateTrusted: false, estimate: estimateOf(60, 0) }),
    undefined,
  );
  assert.equal(planner.plan({ ...input, estimate: estimateOf(60, 0, { mains: true }) }), undefined);
  const plan = planner.plan({ ...input, estimate: estimateOf(60, 0) });
  assert.ok(plan !== undefined && plan.alarmWh > 100);
  const soon = {
    ...input,
    nowMs: 60_000,
    wallMs: input.wallMs + 60_000,
    estimate: estimateOf(60.2, 0),
  };
  assert.equal(planner.plan(soon), plan, 'a plan holds for a quarter of an hour');
});

test('the planner remembers through a restart, and starts anew from rubbish', () => {
  const planner = new Planner(CONFIG.site, 256, LFP.percent);
  const saved: unknown = JSON.parse(JSON.stringify({ ...planner.state, floorPct: 35 }));
  assert.equal(new Planner(CONFIG.site, 256, LFP.percent, saved).state.floorPct, 35);
  assert.equal(new Planner(CONFIG.site, 256, LFP.percent, 'rubbish').state.floorPct, 15);
});
