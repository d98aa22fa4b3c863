import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';

import { compareBytes, hexOf } from '../../src/base/bytes.ts';
import { digestOf } from '../../src/merge/state/digest.ts';
import { fold } from '../../src/merge/fold.ts';
import { MemoryState } from '../../src/merge/state/memory-state.ts';
import { compareOrders, decodeOrder, encodeOrder, type WriteOrder } from '../../src/merge/order.ts';
import { conflictsIn, conflictsOf } from '../../src/merge/conflicts.ts';
import { encodeAdd, encodeUndo } from '../../src/merge/patch.ts';
import { inOrder } from '../../src/merge/record.ts';
import { foldRecord } from '../../src/merge/record/fold-record.ts';
import { ListedOps } from '../../src/merge/record/record-ops.ts';
import { LOG } from '../../src/model/class.ts';
import { ADD, AUTHORITY, DOC, encodeOp, EVENT, type StampedOp, UNDO } from '../../src/model/op.ts';
import type { Origin } from '../../src/model/origin.ts';
import { sha256Hasher } from '../../src/store/sha256-hasher.ts';
import { anyClass, anyHlc, anyOrigin } from '../support/made/arbitrary.ts';
import { anyHistory, anyShuffledHistory } from '../support/made/histories.ts';
import { stampedOp } from '../support/made/ops.ts';

function folded(ops: readonly StampedOp[]): MemoryState {
  const state = new MemoryState();
  for (const op of ops) fold(state, op);
  return state;
}

function digest(state: MemoryState): string {
  return hexOf(digestOf(state, sha256Hasher()).digest);
}

const OPERATOR = 'eeeeeeeeeeeeeeee' as Origin;
const EARLIEST = '0000000000000000' as Origin;

const anyOrder: fc.Arbitrary<WriteOrder> = fc.record({
  authority: fc.integer({ min: 0, max: 4 }),
  hlc: anyHlc,
  origin: anyOrigin,
  seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  class: anyClass,
});

describe('laws of the fold', () => {
  it('does not depend on the order of arrival or on duplicates', () => {
    fc.assert(
      fc.property(anyShuffledHistory, ({ history, shuffled }) => {
        assert.equal(digest(folded(shuffled)), digest(folded(history)));
      }),
      { numRuns: 500 },
    );
  });

  it('gives the same state on replicas that got the ops in parts and met later', () => {
    const anySplit = anyHistory.chain((history) =>
      fc.tuple(fc.constant(history), fc.array(fc.boolean(), { minLength: 40, maxLength: 40 })),
    );
    fc.assert(
      fc.property(anySplit, ([history, sides]) => {
        const left = history.filter((_, index) => sides[index]);
        const right = history.filter((_, index) => !sides[index]);
        assert.equal(digest(folded([...left, ...right])), digest(folded([...right, ...left])));
      }),
      { numRuns: 300 },
    );
  });

  it('keeps for each field the greatest write above the tombstone, whatever came first', () => {
    fc.assert(
      fc.property(anyShuffledHistory, ({ history, shuffled }) => {
        const state = folded(shuffled);
        for (const [key, field, write] of state.fields()) {
          const tombstone = state.tombstone(key);
          assert.ok(tombstone === undefined || compareOrders(write.order, tombstone) > 0);
          assert.ok(
            history.some(({ op }) => op.seq === write.order.seq && op.key === key),
            field,
          );
        }
      }),
    );
  });
});

describe('records', () => {
  it('are what the definition says, whatever way they were folded', () => {
    fc.assert(
      fc.property(anyShuffledHistory, ({ shuffled }) => {
        const state = folded(shuffled);
        for (const key of new Set(shuffled.map(({ op }) => op.key))) {
          const { fields, counters, tombstone } = foldRecord(state.writes(key));
          assert.deepEqual(state.record(key), fields);
          assert.deepEqual(state.countersOf(key), counters);
          assert.deepEqual(state.tombstone(key), tombstone);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('have the same conflicts wherever the same ops have come', () => {
    fc.assert(
      fc.property(anyShuffledHistory, ({ history, shuffled }) => {
        const [one, other] = [folded(history), folded(shuffled)];
        const found = (state: MemoryState, key: string): string[] =>
          conflictsOf(state.writes(key))
            .map((conflict) => JSON.stringify(conflict))
            .toSorted();
        for (const key of new Set(history.map(({ op }) => op.key))) {
          assert.deepEqual(found(one, key), found(other, key));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('answers while ops come as the list of all of them does', () => {
    fc.assert(
      fc.property(anyShuffledHistory, ({ shuffled }) => {
        const state = new MemoryState();
        for (const stamped of shuffled) {
          fold(state, stamped);
          const { key } = stamped.op;
          const [ops, fresh] = [state.opsOf(key), new ListedOps(state.writes(key))];
          for (const field of state.record(key).keys()) {
            const tombstone = state.tombstone(key);
            assert.deepEqual(
              conflictsIn(ops, field, tombstone),
              conflictsIn(fresh, field, tombstone),
            );
          }
          assert.deepEqual([...ops.removes()], [...fresh.removes()]);
          for (const { order } of fresh.all()) {
            assert.deepEqual(inOrder(ops.writesAbove(order)), inOrder(fresh.writesAbove(order)));
            assert.deepEqual(inOrder(ops.namersOf(order)), inOrder(fresh.namersOf(order)));
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('laws of undo', () => {
  const LATE_MS = 20_000_000;
  /** A history without undos, one of its ops on a record, and an operator's undo of it. */
  const anyUndo = fc
    .tuple(anyHistory, fc.nat())
    .map(([history, index]) => {
      const plain = history.filter(({ op }) => op.kind !== UNDO);
      const candidates = plain.filter(
        ({ op }) => op.kind !== EVENT && op.kind !== DOC && op.class !== LOG,
      );
      const target = candidates[index % Math.max(1, candidates.length)];
      return { plain, target };
    })
    .filter(
      (found): found is { plain: StampedOp[]; target: StampedOp } => found.target !== undefined,
    );
  const undoOf = ({ op }: StampedOp, seq: number): StampedOp =>
    stampedOp({
      kind: UNDO,
      class: 2,
      origin: OPERATOR,
      seq,
      key: op.key,
      body: encodeUndo([op]),
      atMs: LATE_MS + seq,
      authority: AUTHORITY.operator,
    });

  it('undo of X leaves everything else as if X had never been', () => {
    fc.assert(
      fc.property(anyUndo, ({ plain, target }) => {
        const without = plain.filter((op) => op !== target);
        const undone = folded([...plain, undoOf(target, 1)]);
        assert.equal(digest(undone), digest(folded(without)));
        const before = folded([undoOf(target, 1), ...plain]);
        assert.equal(digest(before), digest(undone));
      }),
      { numRuns: 300 },
    );
  });

  it('two undos of X both have to be undone for X to count again', () => {
    fc.assert(
      fc.property(anyUndo, ({ plain, target }) => {
        const [one, other] = [undoOf(target, 1), undoOf(target, 2)];
        const [redo, redoOther] = [undoOf(one, 3), undoOf(other, 4)];
        const without = digest(folded(plain.filter((op) => op !== target)));
        assert.equal(digest(folded([...plain, one, other])), without);
        assert.equal(digest(folded([redo, ...plain, other, one])), without);
        assert.equal(digest(folded([...plain, one, redoOther, other])), without);
        const all = [redoOther, ...plain, one, redo, other];
        assert.equal(digest(folded(all)), digest(folded(plain)));
      }),
      { numRuns: 200 },
    );
  });

  it('undo of undo is redo, as often as one likes', () => {
    fc.assert(
      fc.property(anyUndo, fc.integer({ min: 1, max: 5 }), ({ plain, target }, times) => {
        const undos: StampedOp[] = [];
        for (let i = 0; i < times; i++) undos.push(undoOf(undos.at(-1) ?? target, i + 1));
        const standing = times % 2 === 0 ? plain : plain.filter((op) => op !== target);
        assert.equal(digest(folded([...plain, ...undos])), digest(folded(standing)));
        assert.equal(digest(folded([...undos.toReversed(), ...plain])), digest(folded(standing)));
      }),
      { numRuns: 300 },
    );
  });

  it('nobody takes back what a higher role has made, nor what comes later', () => {
    fc.assert(
      fc.property(anyUndo, ({ plain, target }) => {
        fc.pre(target.op.origin !== EARLIEST); // Nothing could be made that is surely earlier.
        const { op, stamp } = undoOf(target, 1);
        const weaker = { ...stamp, authority: target.stamp.authority - 1 };
        const early = { ...op, hlc: { ms: 0, counter: 0 }, origin: EARLIEST };
        for (const vain of [
          { bytes: encodeOp(op), op, stamp: weaker },
          { bytes: encodeOp(early), op: early, stamp },
        ]) {
          assert.equal(digest(folded([...plain, vain])), digest(folded(plain)));
        }
      }),
    );
  });
});

describe('counters', () => {
  it('lose no increment and count none twice', () => {
    const anyAdds = fc.array(
      fc.record({ writer: fc.nat({ max: 2 }), delta: fc.maxSafeInteger() }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(anyAdds, fc.array(fc.nat({ max: 29 })), (adds, again) => {
        const ops = adds.map(({ writer, delta }, index) =>
          stampedOp({
            kind: ADD,
            class: 2,
            seq: index + 1,
            origin: String(writer).repeat(16) as Origin,
            key: 'k',
            body: encodeAdd({ n: delta }),
          }),
        );
        const repeated = again.flatMap((index) => ops[index] ?? []);
        const state = folded([...repeated, ...ops.toReversed(), ...repeated]);
        const sum = adds.reduce((total, { delta }) => total + BigInt(delta), 0n);
        const counter = state.countersOf('k').get('n');
        assert.equal(counter?.total ?? 0n, BigInt.asIntN(64, sum));
        assert.equal(counter?.adds ?? 0, adds.length);
      }),
    );
  });
});

describe('order of writes', () => {
  it('is encoded so that bytes compare like values, and reads back', () => {
    fc.assert(
      fc.property(anyOrder, anyOrder, (a, b) => {
        const [left, right] = [encodeOrder(a), encodeOrder(b)];
        assert.equal(Math.sign(compareBytes(left, right)), Math.sign(compareOrders(a, b)));
        assert.deepEqual({ ...decodeOrder(left) }, { ...a, hlc: { ...a.hlc } });
      }),
    );
  });

  it('is total: no two ops tie', () => {
    fc.assert(
      fc.property(anyOrder, anyOrder, (a, b) => {
        const same = a.origin === b.origin && a.seq === b.seq && a.class === b.class;
        if (!same) assert.notEqual(compareOrders(a, b), 0);
        assert.equal(Math.sign(compareOrders(a, b)), -Math.sign(compareOrders(b, a)));
      }),
    );
  });
});
