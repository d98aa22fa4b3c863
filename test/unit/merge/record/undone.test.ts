/** Who is undone, where a great many have taken the same back, or each other. */
import assert from 'node:assert/strict';

import { test, vi } from 'vitest';

import type { OpId } from '../../../../src/merge/op-id.ts';
import { encodePatch, encodeUndo } from '../../../../src/merge/patch.ts';
import type { RecordWrite } from '../../../../src/merge/record.ts';
import { ListedOps } from '../../../../src/merge/record/record-ops.ts';
import { flipsOf, isUndone, undoneOps } from '../../../../src/merge/record/undone.ts';
import { PATCH, UNDO } from '../../../../src/model/op.ts';
import { DEVICE_A } from '../../../support/made/ops.ts';

const idOf = (seq: number): OpId => ({ origin: DEVICE_A, class: 2, seq });

function writeAt(seq: number, targets?: readonly OpId[]): RecordWrite {
  const order = { authority: 1, hlc: { ms: seq, counter: 0 }, ...idOf(seq) };
  return targets === undefined
    ? { order, kind: PATCH, body: encodePatch({ a: seq }) }
    : { order, kind: UNDO, body: encodeUndo(targets) };
}

test('what hundreds have taken back is known by the first of them', () => {
  const targets = Array.from({ length: 256 }, (_, at) => idOf(at + 1));
  const patches = targets.map(({ seq }) => writeAt(seq));
  const undos = Array.from({ length: 500 }, (_, at) => writeAt(300 + at, targets));
  const ops = new ListedOps([...patches, ...undos]);
  const asked = vi.spyOn(ops, 'writeOf');
  const last = writeAt(900, targets);
  ops.add(last);
  assert.deepEqual(flipsOf(ops, last), []);
  assert.ok(asked.mock.calls.length < 300, `${asked.mock.calls.length} ops were looked up`);
});

test('in a row of thousands, each taking back the one before it, every second one counts', () => {
  const length = 20_000;
  const writes = Array.from({ length }, (_, at) =>
    at === 0 ? writeAt(1) : writeAt(at + 1, [idOf(at)]),
  );
  const ops = new ListedOps(writes);
  assert.equal(isUndone(ops, idOf(1)), (length - 1) % 2 === 1);
  assert.equal(undoneOps(writes).size, length / 2);
  assert.equal(flipsOf(ops, writes.at(-1) as RecordWrite).length, length - 1);
});
