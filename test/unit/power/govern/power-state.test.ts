import assert from 'node:assert/strict';
import { test } from 'vitest';

import {
  DWELL_MS,
  FIRST_STATE,
  levelState,
  nextState,
  type StateMemory,
} from '../../../../src/power/govern/power-state.ts';
import { thresholdsFor } from '../../../../src/power/govern/thresholds.ts';
import { estimateOf, LFP, MINUTE_MS } from '../support.ts';

const TICK_MS = 10_000;

/** Runs ticks with levels by time; gives the memory and every change of state. */
function run(
  levelAt: (nowMs: number) => number | undefined,
  durationMs: number,
  from: { memory: StateMemory; nowMs: number } = { memory: FIRST_STATE, nowMs: 0 },
): { memory: StateMemory; nowMs: number; changes: { state: string; atMs: number }[] } {
  let { memory, nowMs } = from;
  const endMs = nowMs + durationMs;
  const changes: { state: string; atMs: number }[] = [];
  for (; nowMs < endMs; nowMs += TICK_MS) {
    const next = nextState(memory, estimateOf(levelAt(nowMs), nowMs), LFP, nowMs);
    if (next.state !== memory.state) changes.push({ state: next.state, atMs: nowMs });
    memory = next;
  }
  return { memory, nowMs, changes };
}

test('the first state needs three readings', () => {
  assert.deepEqual(run(() => 70, 60_000).changes, [{ state: 'normal', atMs: 20_000 }]);
});

test.each([
  [96, 'normal'],
  [55, 'normal'],
  [50, 'saver'],
  [30, 'saver'],
  [25, 'critical'],
  [15, 'critical'],
  [14, 'shutdown'],
])('a battery that is found at %d %% begins as %s', (percent, state) => {
  assert.equal(run(() => percent, 60_000).memory.state, state);
});

test('hysteresis: every pair of the table, downwards and upwards', () => {
  const { percent } = LFP;
  assert.equal(levelState('normal', 45, percent), 'normal');
  assert.equal(levelState('normal', 44.9, percent), 'saver');
  assert.equal(levelState('saver', 54.9, percent), 'saver');
  assert.equal(levelState('saver', 55, percent), 'normal');
  assert.equal(levelState('saver', 22, percent), 'saver');
  assert.equal(levelState('saver', 21.9, percent), 'critical');
  assert.equal(levelState('critical', 29.9, percent), 'critical');
  assert.equal(levelState('critical', 30, percent), 'saver');
  assert.equal(levelState('critical', 14.9, percent), 'shutdown');
  assert.equal(levelState('shutdown', 24.9, percent), 'shutdown');
  assert.equal(levelState('shutdown', 25, percent), 'critical');
});

test('a dwell of ten minutes holds a state up, but never delays the way down to critical', () => {
  const normal = run(() => 70, MINUTE_MS);
  const falling = run((nowMs) => (nowMs < 7 * MINUTE_MS ? 44 : 20), 30 * MINUTE_MS, normal);
  assert.deepEqual(
    falling.changes.map((it) => it.state),
    ['critical'],
    'saver was due within the dwell, critical came at once',
  );
  const saver = run(
    () => 44,
    30 * MINUTE_MS,
    run(() => 70, MINUTE_MS),
  );
  assert.equal(saver.changes[0]?.state, 'saver');
  assert.ok((saver.changes[0]?.atMs ?? 0) >= 20_000 + DWELL_MS);
});

test('a spike shorter than half of five minutes changes nothing', () => {
  const normal = run(() => 70, 30 * MINUTE_MS);
  const start = normal.nowMs;
  const spike = run((nowMs) => (nowMs - start < 2 * MINUTE_MS ? 5 : 70), 30 * MINUTE_MS, normal);
  assert.deepEqual(spike.changes, []);
});

test('a missing reading is unknown at once, and the way back remembers where the battery was', () => {
  const normal = run(() => 60, 30 * MINUTE_MS);
  const lost = run(() => undefined, MINUTE_MS, normal);
  assert.equal(lost.memory.state, 'unknown');
  const back = run(() => 50, 30 * MINUTE_MS, lost);
  assert.deepEqual(
    back.changes.map((it) => it.state),
    ['normal'],
    '50 % is within the pair of normal, which it never left',
  );
  const low = run(() => 12, 2 * MINUTE_MS, lost);
  assert.equal(low.changes[0]?.state, 'shutdown');
});

test('the same reading seen twice is one vote', () => {
  let memory = FIRST_STATE;
  for (let i = 0; i < 10; i++) memory = nextState(memory, estimateOf(70, 1_000), LFP, 1_000 + i);
  assert.equal(memory.state, 'unknown');
});

test('surplus: curtailed, or nearly full with the sun carrying the load; not on a battery that is low', () => {
  const at = (percent: number, more: object): string => {
    let memory = FIRST_STATE;
    for (let nowMs = 0; nowMs < 20 * MINUTE_MS; nowMs += TICK_MS) {
      memory = nextState(memory, estimateOf(percent, nowMs, more), LFP, nowMs);
    }
    return memory.state;
  };
  assert.equal(at(95, { pvW: 20, loadW: 5 }), 'surplus');
  assert.equal(at(95, { pvW: 4, loadW: 5 }), 'normal');
  assert.equal(at(91, { pvW: 20, loadW: 5 }), 'normal');
  assert.equal(at(60, { curtailed: true }), 'surplus');
  assert.equal(at(20, { curtailed: true }), 'critical');
});

test('a battery that only brushes the last threshold was not emptied: it is back at the lower level', () => {
  const shutdown = run(() => 10.3, 30 * MINUTE_MS);
  const sample = estimateOf(9.9, shutdown.nowMs);
  const touched = nextState({ ...shutdown.memory, samples: [] }, sample, LFP, shutdown.nowMs);
  assert.equal(touched.drained, false, 'one reading of three');
  const back = run(() => 19, 30 * MINUTE_MS, { ...shutdown, memory: touched });
  assert.deepEqual(
    back.changes.map((it) => it.state),
    ['critical'],
    'at (15 + 22) / 2 %',
  );
  const emptied = run(() => 9.9, 10 * MINUTE_MS, shutdown);
  assert.equal(emptied.memory.drained, true);
  assert.deepEqual(run(() => 19, 30 * MINUTE_MS, emptied).changes, [], 'then at 25 % only');
});

test('a battery that was emptied with the hub still on is back a point above the reserve once the sun charges it', () => {
  const emptied = run(() => 9.9, 30 * MINUTE_MS);
  assert.equal(emptied.memory.drained, true);
  const after = (level: number, more: object): StateMemory => {
    let { memory, nowMs } = emptied;
    for (const endMs = nowMs + 30 * MINUTE_MS; nowMs < endMs; nowMs += TICK_MS) {
      memory = nextState(memory, estimateOf(level, nowMs, more), LFP, nowMs);
    }
    return memory;
  };
  assert.equal(after(16.1, { batteryW: 2 }).state, 'critical');
  assert.equal(after(16.1, { batteryW: 2 }).drained, false);
  assert.equal(after(15.9, { batteryW: 2 }).state, 'shutdown');
  assert.equal(after(24.9, { batteryW: -2 }).state, 'shutdown', 'nothing flows in');
});

test('a dull day that lifts the battery by a point ends the silence; without sun it takes more', () => {
  const shutdown = run(() => 14.5, 30 * MINUTE_MS);
  assert.equal(shutdown.memory.state, 'shutdown');
  const after = (level: number, more: object): StateMemory => {
    let { memory, nowMs } = shutdown;
    for (const endMs = nowMs + 30 * MINUTE_MS; nowMs < endMs; nowMs += TICK_MS) {
      memory = nextState(memory, estimateOf(level, nowMs, more), LFP, nowMs);
    }
    return memory;
  };
  assert.equal(after(16.1, { pvW: 6, loadW: 4 }).state, 'critical');
  assert.equal(after(16.1, { batteryW: 2 }).state, 'critical');
  assert.equal(after(15.9, { batteryW: 2 }).state, 'shutdown', 'a gauge at its threshold');
  assert.equal(after(16.1, { pvW: 3, loadW: 4 }).state, 'shutdown');
  assert.equal(after(16.1, { pvW: 6 }).state, 'shutdown', 'nobody knows what the load takes');
});

test('a gauge that comes and goes on a low battery does not make the state come and go', () => {
  const known = run(() => 20, 30 * MINUTE_MS);
  const { changes } = run(
    (nowMs) => (nowMs % 180_000 < 70_000 ? undefined : 20),
    60 * MINUTE_MS,
    known,
  );
  const lost = run(() => undefined, MINUTE_MS, known);
  const back = run(() => 20, 9 * MINUTE_MS, lost);
  assert.deepEqual(back.changes, [], 'as long as any other state');
  assert.ok(changes.length <= 12, `${changes.length} changes in an hour`);
});

test('mains is always normal', () => {
  const memory = nextState(FIRST_STATE, estimateOf(undefined, 0, { mains: true }), LFP, 0);
  assert.equal(memory.state, 'normal');
});

test('without a charge the voltage speaks, scaled to the battery', () => {
  const thresholds = thresholdsFor('lead-acid', 24);
  const at = (volts: number): string => {
    let memory = FIRST_STATE;
    for (let nowMs = 0; nowMs < MINUTE_MS; nowMs += TICK_MS) {
      const estimate = estimateOf(undefined, nowMs, { batteryV: volts });
      memory = nextState(memory, estimate, thresholds, nowMs);
    }
    return memory.state;
  };
  assert.deepEqual(
    [at(25.6), at(25.1), at(24.5), at(23.5)],
    ['normal', 'saver', 'critical', 'shutdown'],
  );
});
