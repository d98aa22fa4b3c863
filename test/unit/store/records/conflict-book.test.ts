/** Conflicts as a store notes them, where much comes to the same field. */
import assert from 'node:assert/strict';

import { describe, it, onTestFinished, vi } from 'vitest';

import { finish } from '../../../../src/base/steps.ts';
import { conflictsOf } from '../../../../src/merge/conflicts.ts';
import { fold } from '../../../../src/merge/fold.ts';
import type { OpId } from '../../../../src/merge/op-id.ts';
import { encodePatch, encodeUndo } from '../../../../src/merge/patch.ts';
import { MemoryState } from '../../../../src/merge/state/memory-state.ts';
import { encodeOpEntry } from '../../../../src/model/entry.ts';
import { type StampedOp, UNDO } from '../../../../src/model/op.ts';
import type { Origin } from '../../../../src/model/origin.ts';
import { SqliteFile } from '../../../../src/store/database/sqlite.ts';
import type { Store } from '../../../../src/store/store.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { DEVICE_A, DEVICE_B, patchOp, removeOp, stampedOp } from '../../../support/made/ops.ts';
import { openStore } from '../../../support/memory/stores.ts';

const KEY = 'order/1';

function write(
  origin: Origin,
  seq: number,
  atMs: number,
  seen: readonly OpId[],
  value: number | string = atMs,
  authority = 1,
): StampedOp {
  const body = encodePatch({ state: value }, { state: seen });
  return patchOp({}, { origin, seq, atMs, key: KEY, body, authority });
}

function open(): Store {
  const store = openStore(tempDir());
  onTestFinished(() => store.close());
  return store;
}

function stage(store: Store, ops: readonly StampedOp[], fromLsn = 1): void {
  for (const [at, { bytes, stamp }] of ops.entries()) {
    store.stageEntry(fromLsn + at, encodeOpEntry(bytes, stamp));
  }
}

const idOf = ({ op }: StampedOp): OpId => ({ origin: op.origin, class: op.class, seq: op.seq });

describe('conflicts in a store', () => {
  it('that begin and end within one transaction are remembered, with both moments', () => {
    const store = open();
    const [a, b] = [write(DEVICE_A, 1, 10, []), write(DEVICE_B, 1, 20, [])];
    stage(store, [a, b, write(DEVICE_A, 2, 30, [idOf(a), idOf(b)])]);
    store.commit();
    const all = store.records.conflicts(true, 10);
    assert.deepEqual(
      all.map(({ foundMs, closedMs }) => [foundMs, closedMs]),
      [[20, 30]],
    );
    assert.deepEqual(store.records.counts(), { edits: 3, conflicts: 1, open: 0 });
  });

  it('are what the ops come to whenever somebody asks, however many write blindly', () => {
    const store = open();
    const memory = new MemoryState();
    const own = new Map<Origin, OpId>();
    const ops = Array.from({ length: 300 }, (_, at) => {
      const origin = (16 + (at % 30)).toString(16).repeat(8) as Origin;
      const before = own.get(origin);
      const op = write(
        origin,
        Math.floor(at / 30) + 1,
        10 + at,
        before === undefined ? [] : [before],
      );
      own.set(origin, idOf(op));
      fold(memory, op);
      return op;
    });
    stage(store, ops.slice(0, 200));
    stage(store, ops.slice(200), 201);
    const expected = conflictsOf(memory.writes(KEY));
    assert.equal(expected.length, 29);
    const names = (all: readonly { winner: object; loser: object }[]): string[] =>
      all.map(({ winner, loser }) => JSON.stringify([winner, loser])).toSorted();
    assert.deepEqual(names(store.records.openConflicts(KEY, 100)), names(expected));
    assert.deepEqual(names(store.records.conflicts(false, 100)), names(expected));
  });

  it('are not counted anew with every write of a crowd', () => {
    const store = open();
    const ops = Array.from({ length: 300 }, (_, at) => {
      const origin = (16 + (at % 30)).toString(16).repeat(8) as Origin;
      return write(origin, Math.floor(at / 30) + 1, 10 + at, []);
    });
    stage(store, ops);
    store.commit();
    const { edits, conflicts, open: left } = store.records.counts();
    assert.deepEqual([edits, left], [300, 29]);
    assert.ok(conflicts <= edits, `${conflicts} conflicts of ${edits} edits`);
  });

  it('are open where a higher role overrules, as the list says, and are no concurrent edits', () => {
    const store = open();
    const office = write(DEVICE_A, 1, 10, [], 80, 4);
    stage(store, [office, write(DEVICE_B, 1, 20, [idOf(office)], 95)]);
    store.commit();
    assert.deepEqual(
      store.records.conflicts(false, 10).map(({ kind }) => kind),
      ['overruled'],
    );
    assert.deepEqual(store.records.counts(), { edits: 2, conflicts: 0, open: 1 });
  });

  it('are not shown and not counted where both say the same, until somebody says something else', () => {
    const dir = tempDir();
    const store = openStore(dir);
    const [a, b] = [write(DEVICE_A, 1, 10, [], 'done'), write(DEVICE_B, 1, 20, [], 'done')];
    stage(store, [a, b]);
    store.commit();
    assert.deepEqual(store.records.conflicts(true, 10), []);
    assert.deepEqual(store.records.counts(), { edits: 2, conflicts: 0, open: 0 });
    assert.deepEqual(
      store.records.openConflicts(KEY, 10).map(({ kind }) => kind),
      ['agreed'],
    );
    store.close();
    const later = openStore(dir);
    onTestFinished(() => later.close());
    stage(later, [write(DEVICE_B, 2, 30, [idOf(b)], 'open')], 3);
    later.commit();
    const [conflict, ...others] = later.records.conflicts(false, 10);
    assert.deepEqual([conflict?.kind, conflict?.loser.origin], ['concurrent', DEVICE_A]);
    assert.equal(others.length, 0);
  });

  it('of a record with thousands of fields are found by reading it once, also for a horizon', () => {
    const store = open();
    const count = 70;
    const patches = Array.from({ length: count }, (_, at) => {
      const fields = Array.from({ length: 64 }, (__, index) => [`${at} ${index}`, at] as const);
      return patchOp(Object.fromEntries(fields), { seq: at + 1, atMs: at + 1, key: KEY });
    });
    const remove = removeOp({ seq: count + 1, atMs: 100, key: KEY });
    stage(store, [
      ...patches,
      write(DEVICE_B, 1, 50, []),
      write(DEVICE_A, count + 2, 60, []),
      remove,
    ]);
    store.commit();
    const queries = vi.spyOn(SqliteFile.prototype, 'rows');
    onTestFinished(() => queries.mockRestore());
    const body = encodeUndo([idOf(remove)]);
    const undo = stampedOp({ kind: UNDO, class: 2, seq: count + 3, atMs: 200, key: KEY, body });
    stage(store, [undo], count + 4);
    assert.equal(store.records.conflicts(false, 10).length, 1);
    assert.equal(store.records.get(KEY).fields.size, 64 * count + 1);
    finish(store.records.drawHorizon(KEY, 10));
    assert.ok(queries.mock.calls.length < 1_000, `${queries.mock.calls.length} queries`);
  });
});
