/** A month in the field for seed after seed, every fault on: PILOT_SEEDS of them, from PILOT_FIRST_SEED on, PILOT_DEVICES each. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { PRESETS, SMALL_LTE } from '../../src/pilot/world/light-model.ts';
import { runPilot } from '../../src/pilot/pilot.ts';
import { FAULT_KINDS, seededScenario } from '../../src/pilot/scenario.ts';

const SEEDS = Number(process.env['PILOT_SEEDS'] ?? 10);
const FIRST_SEED = Number(process.env['PILOT_FIRST_SEED'] ?? 1);
const DAYS = Number(process.env['PILOT_DAYS'] ?? 30);
const DEVICES = Number(process.env['PILOT_DEVICES'] ?? 50);
const MINUTES_MAX = 10;

describe.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
  'seed %i',
  (seed) => {
    test(
      'no acknowledged op is lost in a month of faults',
      async () => {
        const presets = Object.values(PRESETS);
        const preset = presets[seed % presets.length] ?? SMALL_LTE;
        const parts = { preset, days: DAYS, devices: DEVICES, faults: new Set(FAULT_KINDS) };
        const outcome = await runPilot(seededScenario(seed, parts));
        assert.ok(outcome.acknowledged > 1_000);
      },
      MINUTES_MAX * 60_000,
    );
  },
);
