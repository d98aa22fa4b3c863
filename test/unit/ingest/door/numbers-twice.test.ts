/** A device that gives its numbers twice, because its storage has forgotten the end of its log, or its folder was copied. */
import assert from 'node:assert/strict';

import { it } from 'vitest';

import { encodeOpsMessage } from '../../../../src/client/outbox/ops-message.ts';
import { isThatWrite } from '../../../../src/merge/that-write.ts';
import { MemoryState } from '../../../../src/merge/state/memory-state.ts';
import { fold } from '../../../../src/merge/fold.ts';
import { EVENT, type Op, type StampedOp } from '../../../../src/model/op.ts';
import { openDoor, opsIn } from '../../../support/memory/doors.ts';
import { DEVICE_A, patchOp, stampedOp } from '../../../support/made/ops.ts';

const TABLET = { role: 'technician', device: 'tablet' } as const;
const KEY = 'pump';

/** A door that knows what was folded of its journal so far. */
function openFolding(): ReturnType<typeof openDoor> & { foldAll: () => void } {
  const state = new MemoryState();
  const isAsKept = (op: Op): boolean | undefined => {
    const write = state.writes(KEY).find(({ order }) => order.seq === op.seq);
    return write === undefined ? undefined : isThatWrite({ key: KEY, write }, op);
  };
  const setup = openDoor({ isAsKept });
  return { ...setup, foldAll: () => opsIn(setup.journal).forEach((op) => fold(state, op)) };
}

function opsMessage(...ops: readonly StampedOp[]): Uint8Array {
  return encodeOpsMessage(ops, []) ?? assert.fail('there are ops');
}

function patches(from: number, to: number, value: string): StampedOp[] {
  const seqs = Array.from({ length: to - from + 1 }, (_, at) => from + at);
  return seqs.map((seq) => patchOp({ a: `${value} ${seq}` }, { seq, key: KEY }));
}

it('is told which of them are other ops than those that came by these numbers', () => {
  const { door, journal, foldAll } = openFolding();
  door.acceptOps(opsMessage(...patches(1, 6, 'lost')), TABLET);
  const before = journal.lastLsn;
  foldAll();
  const again = [...patches(1, 3, 'lost'), ...patches(4, 8, 'anew')];
  const { accepted, rejected, isClash } = door.acceptOps(opsMessage(...again), TABLET);
  assert.deepEqual(
    rejected.map(({ seq, verdict }) => [seq, verdict]),
    [
      [4, 'never'],
      [5, 'never'],
      [6, 'never'],
    ],
  );
  assert.deepEqual(accepted, [{ origin: DEVICE_A, class: 2, seq: 8 }]);
  assert.ok(isClash);
  assert.equal(journal.lastLsn, before + 2);
});

it('of what is not folded yet nobody can tell; it is taken for what came', () => {
  const { door } = openFolding();
  door.acceptOps(opsMessage(...patches(1, 2, 'lost')), TABLET);
  const { rejected, isClash } = door.acceptOps(opsMessage(...patches(1, 2, 'anew')), TABLET);
  assert.deepEqual([rejected, isClash], [[], false]);
});

it('what stands in the place of an op that another hub had refused is no other op', () => {
  const { door, foldAll } = openFolding();
  door.acceptOps(opsMessage(...patches(1, 2, 'here')), TABLET);
  foldAll();
  const empty = stampedOp({ kind: EVENT, class: 2, seq: 2, key: 'devices/tablet/void' });
  const { rejected } = door.acceptOps(opsMessage(...patches(1, 1, 'here'), empty), TABLET);
  assert.deepEqual(rejected, []);
});

it('what has come is accepted again, though its maker has no right to it any more', () => {
  const { door, foldAll } = openFolding();
  const message = opsMessage(...patches(1, 1, 'here'));
  door.acceptOps(message, TABLET);
  foldAll();
  const { accepted, rejected } = door.acceptOps(message, { ...TABLET, mayWrite: () => false });
  assert.deepEqual([accepted.map(({ seq }) => seq), rejected], [[1], []]);
});
