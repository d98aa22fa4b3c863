import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { type Conflict, conflictsOf } from '../../../src/merge/conflicts.ts';
import { fold } from '../../../src/merge/fold.ts';
import { MemoryState } from '../../../src/merge/state/memory-state.ts';
import { type OpId, opIdOfText, textOfOpId } from '../../../src/merge/op-id.ts';
import {
  encodeAdd,
  encodePatch,
  encodeUndo,
  readAdd,
  readPatch,
  readUndo,
} from '../../../src/merge/patch.ts';
import { ListedOps } from '../../../src/merge/record/record-ops.ts';
import { planUndo } from '../../../src/merge/undo.ts';
import { ADD, AUTHORITY, type StampedOp, UNDO } from '../../../src/model/op.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { DEVICE_A, DEVICE_B, patchOp, removeOp, stampedOp } from '../../support/made/ops.ts';

const OFFICE = 'cccccccccccccccc' as Origin;
const KEY = 'pump';

function folded(...ops: readonly StampedOp[]): MemoryState {
  const state = new MemoryState();
  for (const op of ops) fold(state, op);
  return state;
}

/** A patch of field `state` that tells what it has seen. */
function write(
  origin: Origin,
  seq: number,
  atMs: number,
  seen: readonly StampedOp[] | undefined,
  authority = 1,
): StampedOp {
  const ids = seen?.map(({ op }) => op);
  const body = encodePatch({ state: `${origin}${seq}` }, ids && { state: ids });
  return patchOp({}, { origin, seq, atMs, body, authority });
}

function conflictsIn(...ops: readonly StampedOp[]): string[] {
  return conflictsOf(folded(...ops).writes(KEY)).map(
    ({ kind, winner, loser }: Conflict) => `${kind} ${winner.origin[0]} over ${loser.origin[0]}`,
  );
}

function undoOf({ op }: StampedOp): StampedOp {
  const body = encodeUndo([op]);
  return stampedOp({ kind: UNDO, class: 2, key: KEY, origin: OFFICE, seq: 2, atMs: 9000, body });
}

describe('conflicts', () => {
  const opened = write(OFFICE, 1, 1000, []);
  const lena = write(DEVICE_A, 1, 2000, [opened]);
  const otieno = write(DEVICE_B, 1, 3000, [opened]);

  it('are the worked example of MERGE.md', () => {
    assert.deepEqual(conflictsIn(opened, lena), []);
    assert.deepEqual(conflictsIn(opened, lena, otieno), ['concurrent b over a']);
    assert.deepEqual(conflictsIn(otieno, lena, opened), ['concurrent b over a']);
    const resolved = write(OFFICE, 2, 4000, [lena, otieno]);
    assert.deepEqual(conflictsIn(opened, lena, otieno, resolved), []);
    const plan = planUndo(folded(opened, lena, otieno, resolved).opsOf(KEY), {
      target: lena.op,
      authority: 4,
      cascade: false,
    });
    assert.match(plan.kind === 'refused' ? plan.reason : '', /later work builds on it: cccc/);
  });

  it('end when one side is undone or removed', () => {
    const undo = undoOf(lena);
    assert.deepEqual(conflictsIn(opened, lena, otieno, undo), []);
    const removed = removeOp({ origin: OFFICE, seq: 2, atMs: 9000 });
    assert.deepEqual(conflictsIn(opened, lena, otieno, removed), []);
  });

  it('name who was overruled, and blame nobody who told nothing', () => {
    const operator = write(OFFICE, 2, 2000, [opened], AUTHORITY.operator);
    const device = write(DEVICE_A, 1, 3000, [operator]);
    assert.deepEqual(conflictsIn(opened, operator, device), ['overruled c over a']);
    const blind = write(DEVICE_B, 1, 3000, undefined);
    assert.deepEqual(conflictsIn(opened, lena, blind), []);
    // Who tells something else was not seen by the one who tells nothing, if it came later.
    assert.deepEqual(conflictsIn(opened, write(DEVICE_B, 1, 1500, undefined), lena), [
      'concurrent a over b',
    ]);
  });

  it('follow what was seen through others', () => {
    const second = write(OFFICE, 2, 2500, [lena]);
    const third = write(DEVICE_B, 1, 3000, [second]);
    assert.deepEqual(conflictsIn(opened, lena, second, third), []);
  });
});

describe('planning an undo', () => {
  const opened = write(OFFICE, 1, 1000, []);
  const built = write(DEVICE_A, 1, 2000, [opened]);
  const onTop = write(DEVICE_B, 1, 3000, [built]);
  const plan = (target: OpId, cascade = false, authority: number = AUTHORITY.operator): unknown => {
    const planned = planUndo(folded(opened, built, onTop).opsOf(KEY), {
      target,
      cascade,
      authority,
    });
    return planned.kind === 'refused' ? planned.reason : planned.targets.map(textOfOpId);
  };
  const name = ({ op }: StampedOp): string => textOfOpId(op);

  it('takes back the last work, and what builds on it where that is asked for', () => {
    assert.deepEqual(plan(onTop.op), [name(onTop)]);
    assert.deepEqual(plan(opened.op, true), [name(opened), name(built), name(onTop)]);
  });

  it('refuses with the reason', () => {
    assert.match(String(plan(built.op)), /builds on it: bbbbbbbbbbbbbbbb\/2\/1/);
    assert.match(String(plan({ ...onTop.op, seq: 9 })), /no op of this name has come here/);
    assert.match(String(plan(onTop.op, false, 0)), /higher role/);
  });

  it('refuses what is undone already', () => {
    const undo = undoOf(onTop);
    const writes = folded(opened, built, onTop, undo).writes(KEY);
    const again = planUndo(new ListedOps(writes), {
      target: onTop.op,
      authority: 4,
      cascade: false,
    });
    assert.match(
      again.kind === 'refused' ? again.reason : '',
      /undone already, by c{16}\/2\/2; to have it back, undo that/,
    );
    const redo = planUndo(new ListedOps(writes), {
      target: undo.op,
      authority: 4,
      cascade: false,
    });
    assert.equal(redo.kind, 'ready');
  });
});

describe('counters', () => {
  it('count below nothing but a remove', () => {
    const add = (seq: number, n: number, atMs: number): StampedOp =>
      stampedOp({ kind: ADD, class: 2, key: KEY, seq, atMs, body: encodeAdd({ n }) });
    const ops = [add(1, 5, 1000), add(2, -7, 3000), removeOp({ seq: 3, atMs: 2000 })];
    for (const order of [ops, ops.toReversed()]) {
      assert.deepEqual(
        folded(...order)
          .countersOf(KEY)
          .get('n'),
        { total: -7n, adds: 1 },
      );
    }
  });
});

describe('bodies', () => {
  const ids: OpId[] = [{ origin: DEVICE_A, class: 2, seq: 7 }];

  it('read back', () => {
    const patch = readPatch(encodePatch({ b: 1, a: 2 }, { b: ids, a: [] }));
    assert.deepEqual(
      [...(patch?.seen ?? [])],
      [
        ['a', []],
        ['b', ids],
      ],
    );
    assert.deepEqual(readAdd(encodeAdd({ n: -3 })), new Map([['n', -3n]]));
    assert.deepEqual(readUndo(encodeUndo(ids)), ids);
    assert.deepEqual(opIdOfText('aaaaaaaaaaaaaaaa/record/7'), ids[0]);
    assert.deepEqual(opIdOfText(textOfOpId(ids[0] as OpId)), ids[0]);
  });

  it('are refused where they break the rules', () => {
    assert.equal(readPatch(encodePatch({ a: 1 }, { b: ids })), undefined);
    assert.equal(readPatch(encodePatch({ a: 1 }, {})), undefined);
    assert.equal(readPatch(encodePatch({ a: 1 }, { a: Array(17).fill(ids[0]) })), undefined);
    assert.equal(readAdd(encodeAdd({})), undefined);
    assert.equal(readAdd(encodeAdd({ n: 1.5 })), undefined);
    assert.equal(readUndo(encodeUndo([])), undefined);
    assert.equal(readUndo(encodeUndo([{ ...(ids[0] as OpId), seq: 0 }])), undefined);
    for (const text of [
      '',
      'aaaaaaaaaaaaaaaa/9/1',
      'aaaaaaaaaaaaaaaa/2/0',
      'a/2/1',
      'aaaaaaaaaaaaaaaa/2/1/1',
    ]) {
      assert.equal(opIdOfText(text), undefined, text);
    }
  });
});
