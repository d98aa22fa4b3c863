import assert from 'node:assert/strict';
import { test } from 'vitest';

import { textOf } from '../../../src/base/bytes.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { type SavedState, StateKeeper } from '../../../src/power/saved-state.ts';

const PATH = '/power/learned.json';
const SYNC_MS = 400;

function keeperOf(): {
  readonly clock: SimClock;
  readonly files: SimFiles;
  readonly keeper: StateKeeper;
  readonly failures: unknown[];
  readonly saved: () => number;
  now: number;
} {
  const clock = new SimClock(0);
  const sync = { timers: clock, delayMs: () => SYNC_MS };
  const files = new SimFiles({ random: new SeededRandom(1), sync });
  files.makeDir('/power');
  const failures: unknown[] = [];
  const rig = { clock, files, failures, now: 1 };
  const learned = (): SavedState => ({ version: 1, savedAtMs: rig.now }) as SavedState;
  const keeper = new StateKeeper({ files, path: PATH }, learned, (it) => failures.push(it));
  const saved = (): number =>
    Number(JSON.parse(textOf(files.read(PATH) ?? new Uint8Array()) || '{}').savedAtMs);
  return Object.assign(rig, { keeper, saved });
}

test('a slow card stops nobody, and those who ask meanwhile share one more save with the newest state', async () => {
  const rig = keeperOf();
  const first = rig.keeper.save();
  await rig.clock.advance(1);
  assert.equal(rig.files.exists(PATH), false);
  rig.now = 2;
  assert.equal(rig.keeper.save(), rig.keeper.save());
  rig.now = 3;
  await rig.clock.advance(SYNC_MS);
  await first;
  assert.equal(rig.saved(), 1);
  await rig.clock.advance(SYNC_MS);
  assert.equal(rig.saved(), 3);
  assert.equal(rig.files.syncs, 4, 'the file and its folder, twice');
});

test('the end overtakes a save that is underway', async () => {
  const rig = keeperOf();
  void rig.keeper.save();
  await rig.clock.advance(1);
  rig.now = 2;
  rig.keeper.close();
  await rig.clock.advance(SYNC_MS);
  assert.equal(rig.saved(), 2);
  assert.deepEqual(rig.failures, []);
});

test('a card that refuses is told once, and the next save is tried as ever', async () => {
  const rig = keeperOf();
  rig.files.faults.failSyncs = new Set([1]);
  void rig.keeper.save();
  await rig.clock.advance(SYNC_MS);
  assert.equal(rig.failures.length, 1);
  void rig.keeper.save();
  await rig.clock.advance(SYNC_MS);
  assert.equal(rig.saved(), 1);
});
