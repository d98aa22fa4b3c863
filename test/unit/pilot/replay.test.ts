import assert from 'node:assert/strict';
import { test } from 'vitest';

import { replayOf } from '../../../src/pilot/replay.ts';
import { FAULT_KINDS, type Scenario, seededScenario } from '../../../src/pilot/scenario.ts';
import { SMALL_LTE } from '../../../src/pilot/world/light-model.ts';

const PARTS = { preset: SMALL_LTE, days: 20, devices: 10, faults: new Set(FAULT_KINDS) };

function replay(more: Partial<Scenario>): string {
  return replayOf({ ...seededScenario(13, PARTS), ...more });
}

test('a month is told by the command that makes it again', () => {
  const start = 'heliograph pilot --preset lte --seed 13 --days 20 --devices 10';
  assert.equal(replay({}), `${start} --faults all`);
  assert.equal(replay({ faults: new Set(), quotaMib: 30 }), `${start} --faults none --quota 30`);
  assert.match(replay({ weather: "Ana's dust.csv" }), / --trace 'Ana'\\''s dust\.csv' /);
  assert.equal(
    replay({
      faults: new Set(['kill', 'link']),
      weather: 'dust.csv',
      fromDay: 3,
      place: { latitude: -0.1, longitude: 34.75 },
    }),
    `${start} --faults kill,link --trace dust.csv --from-day 3 --latitude -0.1 --longitude 34.75`,
  );
});
