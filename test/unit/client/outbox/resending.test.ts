/** What a hub lacks is sent again from where it lacks it; what it refuses is not offered to it twice. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Resending, type SentAgain } from '../../../../src/client/outbox/resending.ts';
import { RECORD } from '../../../../src/model/class.ts';
import { laneOf } from '../../../../src/model/origin.ts';
import { DEVICE_A, patchOp } from '../../../support/made/ops.ts';

const LANE = laneOf(DEVICE_A, RECORD);
/** Hubs have levelled out by then, or will not. */
const LATER_MS = 2_000;

/** A lane that some hub has up to 10, of which `from` … 10 are still here. */
class Rig {
  readonly resending = new Resending();

  constructor(from = 1) {
    for (let seq = from; seq <= 10; seq++) this.resending.spares.add(patchOp({}, { seq }));
    this.resending.met('hub');
    this.parts(0);
    this.resending.newLine();
  }

  parts(nowMs: number): SentAgain {
    return this.resending.parts({
      receipted: new Map([[LANE, 10]]),
      shown: () => [],
      waiting: new Set(),
      nowMs,
    });
  }

  /** Seqs of the ops, and of the floors. */
  sent(nowMs: number): readonly [number[], number[]] {
    const { ops, floors } = this.parts(nowMs);
    return [ops.map(({ op }) => op.seq), floors.map(({ seq }) => seq)];
  }
}

test('hubs get a moment to level out: until then the newest op asks how far this one is', () => {
  const it = new Rig();
  it.resending.heard(LANE, 7, 10, 0);
  assert.deepEqual(it.sent(1_000), [[10], []]);
  assert.deepEqual(it.sent(LATER_MS), [[8, 9, 10], []]);
  it.resending.heard(LANE, 10, 10, LATER_MS);
  assert.deepEqual(it.sent(LATER_MS), [[], []]);
});

test('where not all is here any more, the hub is told how far another one had everything', () => {
  const it = new Rig(9);
  it.resending.heard(LANE, 7, 10, 0);
  assert.deepEqual(it.sent(LATER_MS), [[9, 10], [10]]);
});

test('only what lies behind an op that the hub refuses goes on, whichever it refused first', () => {
  const it = new Rig();
  it.resending.heard(LANE, 5, 10, 0);
  it.resending.unfit(LANE, 8);
  it.resending.unfit(LANE, 6);
  assert.deepEqual(it.sent(LATER_MS), [[9, 10], [10]]);
  it.resending.newLine();
  it.resending.heard(LANE, 5, 10, LATER_MS);
  assert.deepEqual(it.sent(2 * LATER_MS), [[6, 7, 8, 9, 10], []], 'another hub may take it');
});

test('a hub that could not read a floor gets none, until the line is another', () => {
  const it = new Rig(9);
  it.resending.heard(LANE, 7, 10, 0);
  it.resending.refused();
  assert.deepEqual(it.sent(LATER_MS), [[9, 10], [10]], 'it refused something else');
  it.resending.refused();
  assert.deepEqual(it.sent(LATER_MS), [[], []]);
  it.resending.newLine();
  it.resending.heard(LANE, 7, 10, LATER_MS);
  assert.deepEqual(it.sent(2 * LATER_MS), [[9, 10], [10]]);
});
