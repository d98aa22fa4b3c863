import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';

import { compareBytes, hexOf } from '../../src/base/bytes.ts';
import { digestOf } from '../../src/merge/digest.ts';
import { fold } from '../../src/merge/fold.ts';
import { MemoryState } from '../../src/merge/memory-state.ts';
import { compareOrders, decodeOrder, encodeOrder, type WriteOrder } from '../../src/merge/order.ts';
import type { StampedOp } from '../../src/model/op.ts';
import { anyClass, anyHlc, anyOrigin } from '../support/arbitrary.ts';
import { anyHistory, anyShuffledHistory } from '../support/histories.ts';
import { sha256Hasher } from '../support/ops.ts';

function folded(ops: readonly StampedOp[]): MemoryState {
  const state = new MemoryState();
  for (const op of ops) fold(state, op);
  return state;
}

function digest(state: MemoryState): string {
  return hexOf(digestOf(state, sha256Hasher()).digest);
}

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
