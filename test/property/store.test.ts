import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import { type Conflict, conflictsOf } from '../../src/merge/conflicts.ts';
import { digestOf } from '../../src/merge/digest.ts';
import { fold } from '../../src/merge/fold.ts';
import { encodeOrder } from '../../src/merge/order.ts';
import { MemoryState } from '../../src/merge/memory-state.ts';
import { encodeOpEntry } from '../../src/model/entry.ts';
import { decodeRanges, encodeRanges, SeenOps } from '../../src/store/seen-ops.ts';
import type { Lane } from '../../src/model/origin.ts';
import { sha256Hasher } from '../../src/store/sha256-hasher.ts';
import { anyShuffledHistory } from '../support/made/histories.ts';
import { entriesOf, openStore } from '../support/memory/stores.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

function plain({ key, field, kind, winner, loser }: Conflict & { key: string }): string {
  return [key, field, kind, hexOf(encodeOrder(winner)), hexOf(encodeOrder(loser))].join(' ');
}

describe('tables', () => {
  it('hold what the pure fold holds, in any order, batch size and number of repeats', () => {
    const store = openStore(tempDir());
    fc.assert(
      fc.property(anyShuffledHistory, fc.integer({ min: 1, max: 9 }), (histories, batch) => {
        const memory = new MemoryState();
        for (const op of histories.history) fold(memory, op);
        store.clear();
        const entries = entriesOf(histories.shuffled);
        for (let at = 0; at < entries.length; at += batch) {
          const part = entries.slice(at, at + batch);
          if (at % 3 === 0) store.stage(part, at + batch);
          else {
            for (const { lsn, stamped } of part) {
              const entry = encodeOpEntry(stamped.bytes, stamped.stamp);
              assert.equal(store.stageEntry(lsn, entry), undefined);
              // The bytes are the journal's again.
              entry.fill(0);
            }
          }
          if (at % 5 === 0) store.flush(1, at % 2 === 1);
          if (at % 2 === 0) store.commit();
        }
        store.commit();
        const { digest, ops } = store.digest();
        assert.equal(digest, hexOf(digestOf(memory, sha256Hasher()).digest));
        for (const key of store.records.keys('', '', 100)) {
          assert.deepEqual(store.records.get(key).counters, new Map(memory.countersOf(key)));
        }
        const open = store.records.conflicts(false, 1000).map((conflict) => plain(conflict));
        const expected = ['a', 'a\u0000b', 'ß/漢'].flatMap((key) =>
          conflictsOf(memory.writes(key)).map((conflict) => plain({ ...conflict, key })),
        );
        assert.deepEqual(open.toSorted(), expected.toSorted());
        assert.equal(ops, histories.history.filter(({ op }) => op.class !== 6).length);
      }),
      { numRuns: 100 },
    );
    store.close();
  });
});

describe('seen ops', () => {
  it('are a set per lane that survives being written down', () => {
    const lane = 'aaaaaaaaaaaaaaaa/3' as Lane;
    const anySeqs = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 });
    fc.assert(
      fc.property(anySeqs, anySeqs, (before, after) => {
        let seen = new SeenOps();
        const model = new Set<number>();
        const addAll = (seqs: readonly number[]): void => {
          for (const seq of seqs) {
            assert.equal(seen.add(lane, seq), !model.has(seq));
            model.add(seq);
          }
        };
        addAll(before);
        const restored = new SeenOps();
        for (const { beyond, ...rest } of seen.takeChanges()) {
          restored.restore({ ...rest, beyond: decodeRanges(encodeRanges(beyond)) });
        }
        seen = restored;
        addAll(after);
        assert.equal(seen.count(), model.size);
        let upTo = 0;
        while (model.has(upTo + 1)) upTo += 1;
        assert.equal(seen.vector().get(lane) ?? 0, upTo);
      }),
    );
  });
});
