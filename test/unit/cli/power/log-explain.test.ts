/** The numbers behind a line, in words. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { renderLine } from '../../../../src/cli/power/log.ts';
import { explainLine } from '../../../../src/cli/power/log-explain.ts';
import { readerTimes } from '../../../../src/cli/power/reader-times.ts';

const NAIROBI = readerTimes('Africa/Nairobi');

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
  assert.deepEqual(explainLine(LINE, NAIROBI), [
    'measured   battery 41 ± 3 %, 13.1 V, panel 4 W held back, link satellite, clock not trusted',
    'level      41 %: files wait below 45 %, go again from 55 %, nothing goes below 15 %',
    'plan       a session costs 1 Wh, records and readings may spend 12.5 Wh, full in 3.2 h',
    'other      floorPct 20',
    'allowed    alarm, command',
    'bulk       38 ops, 61 MB, oldest 1 d 2 h; waits: battery 41 % below 55 %, until 2026-03-01 13:40',
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

test('times within a sentence are those of the reader, like the one in front of it', () => {
  const rendered = (at: string, why: string): string =>
    renderLine({ at, event: 'decision', state: 'saver', why }, (_, text) => text, NAIROBI);
  const files = 'files wait: battery 41 % below 55 %, sun enough at';
  assert.match(
    rendered('2026-03-01T07:10:00.000Z', `${files} 10:40 UTC; alarms go`),
    /^2026-03-01 10:10:00 .* sun enough at 13:40; alarms go$/,
  );
  assert.match(
    rendered('2026-03-01T22:10:00.000Z', `${files} 05:30 UTC and 22:10 UTC`),
    /^2026-03-02 01:10:00 .* at 08:30 and 01:10$/,
  );
  const back = 'everything is on the card; back about';
  assert.match(
    rendered('2026-03-01T20:10:00.000Z', `${back} 2026-03-02 22:00 UTC`),
    /back about 2026-03-03 01:00$/,
    'with its day',
  );
  assert.match(rendered('?', `${files} 10:40 UTC`), /10:40 UTC$/, 'of a line without a time');
});

test('the night in which the clocks change', () => {
  const berlin = readerTimes('Europe/Berlin');
  const before = Date.parse('2026-03-28T23:30:00Z');
  assert.equal(berlin.sentence('until 00:30 UTC', before), 'until 01:30');
  assert.equal(berlin.sentence('until 01:30 UTC', before), 'until 03:30');
});
