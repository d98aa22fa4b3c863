/**
 * The measures of the power policy, seed after seed at each site: MEASURE_SEEDS of them, from MEASURE_FIRST_SEED on.
 * Where even the fewest sessions that keep the deadlines take the site down for longer than is allowed, no policy can
 * hold them all: there it must stay beside that policy.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { evaluate, POLICIES, PRESETS } from '../../src/pilot/world/light-model.ts';
import { byPolicy, verdictOf } from '../../src/pilot/judging/measures.ts';
import { seededScenario } from '../../src/pilot/scenario.ts';

const SEEDS = Number(process.env['MEASURE_SEEDS'] ?? 10);
const FIRST_SEED = Number(process.env['MEASURE_FIRST_SEED'] ?? 1);
const DARK_POINTS = 0.012;

describe.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
  'seed %i',
  (seed) => {
    test.each(Object.values(PRESETS))('$name', (preset) => {
      const parts = { preset, days: 30, devices: 50, faults: new Set<never>() };
      const scenario = seededScenario(seed, parts);
      const evaluations = POLICIES.map((policy) => evaluate({ ...scenario, policy }));
      const { measures, attainable } = verdictOf(evaluations, scenario);
      if (attainable.kind !== 'yes') {
        const by = byPolicy(evaluations);
        assert.ok(by.heliograph.downRatio <= by.deadlines.downRatio + DARK_POINTS);
        assert.ok(by.heliograph.radioWhPerDay <= 0.5 * by.hourly.radioWhPerDay);
        return;
      }
      const missed = measures.filter(({ holds }) => !holds);
      assert.deepEqual(missed, []);
    });
  },
);
