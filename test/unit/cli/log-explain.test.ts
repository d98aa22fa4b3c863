/** The numbers behind a line, in words. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { explainLine } from '../../../src/cli/power/log-explain.ts';

const LINE = {
  socPct: 41,
  socErrPct: 3,
  batteryV: 13.1,
  pvW: 4,
  curtailed: true,
  link: 'satellite',
  clock: 'unknown',
  allowed: ['alarm', 'command'],
  backlog: {
    bulk: { ops: 38, bytes: 61_000_000, oldestS: 93_600 },
    record: { ops: 2 },
  },
  deferred: { bulk: { reason: 'battery 41 % below 55 %', until: '2026-03-01T10:40:00.000Z' } },
  numbers: {
    level: 41,
    bulkPause: 45,
    bulkResume: 55,
    alarmsStop: 15,
    sessionWh: 1,
    recordWh: 12.5,
    fullInH: 3.2,
    floorPct: 20,
  },
};

test('thresholds, plan and what waits stand below the decision', () => {
  assert.deepEqual(explainLine(LINE), [
    'measured   battery 41 ± 3 %, 13.1 V, panel 4 W held back, link satellite, clock not trusted',
    'level      41 %: files wait below 45 %, go again from 55 %, nothing goes below 15 %',
    'plan       a session costs 1 Wh, records and readings may spend 12.5 Wh, full in 3.2 h',
    'other      floorPct 20',
    'allowed    alarm, command',
    'bulk       38 ops, 61 MB, oldest 1 d 2 h; waits: battery 41 % below 55 %, until 2026-03-01T10:40Z',
    'record     2 ops',
  ]);
});

test('nothing is said where nothing is known, whatever a hub sends', () => {
  assert.deepEqual(explainLine({}), []);
  assert.deepEqual(explainLine({ numbers: 'x', backlog: [1], deferred: null, allowed: 7 }), []);
  assert.deepEqual(explainLine({ allowed: [] }), ['allowed    nothing']);
  assert.deepEqual(explainLine({ socPct: 68.89, numbers: { recordWh: -9, lowestPct: 59.22 } }), [
    'measured   battery 68.9 %',
    'plan       records and readings may spend nothing, lowest charge ahead 59.2 %',
  ]);
  assert.deepEqual(explainLine({ batteryV: 12.3, numbers: { level: 12.3, bulkPause: 12.4 } }), [
    'measured   12.3 V',
    'level      12.3 V: files wait below 12.4 V',
  ]);
});

test('what a session is thought to cost stands beside what was measured', () => {
  assert.deepEqual(explainLine({ energyWh: 1.0437, measuredWh: 0.97, linkOnS: 41 }), [
    'energy     thought to cost 1 Wh, 0.97 Wh by the measured load, link on for 41 s',
  ]);
  assert.deepEqual(explainLine({ energyWh: 0.03 }), ['energy     thought to cost 0.03 Wh']);
});

test('what a hub sends cannot command the terminal', () => {
  const text = explainLine({ link: 'a\u001b[2Jb', allowed: ['\u0007'] }).join('');
  assert.ok(!text.includes('\u001b') && !text.includes('\u0007'));
});
