/** The laws of merge hold with horizons drawn at any point, by hubs that do not know of each other (MERGE.md §10). */
import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import { conflictsOf } from '../../src/merge/conflicts.ts';
import { digestOf } from '../../src/merge/state/digest.ts';
import type { MemoryState } from '../../src/merge/state/memory-state.ts';
import { foldRecord } from '../../src/merge/record/fold-record.ts';
import { LOG } from '../../src/model/class.ts';
import { CONTROL } from '../../src/model/op.ts';
import type { Origin } from '../../src/model/origin.ts';
import { sha256Hasher } from '../../src/store/sha256-hasher.ts';
import { anyHistory } from '../support/made/histories.ts';
import { anySite, drawn, folded, HUBS, KEYS } from '../support/made/horizons.ts';
import { entriesOf, openStore } from '../support/memory/stores.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

function digest(state: MemoryState): string {
  return hexOf(digestOf(state, sha256Hasher()).digest);
}

describe('horizons', () => {
  it('leave order of arrival and duplicates without effect', () => {
    fc.assert(
      fc.property(anySite, ([ops, shuffled, again]) => {
        assert.equal(digest(folded([...again, ...shuffled])), digest(folded(ops)));
      }),
      { numRuns: 300 },
    );
  });

  it('let a replica that forgot and one that never did have the same records and conflicts', () => {
    fc.assert(
      fc.property(anySite, ([ops, shuffled]) => {
        const state = folded(shuffled);
        for (const key of KEYS) {
          const here = ops.filter(({ op }) => op.key === key && op.class !== LOG);
          const all = here.flatMap((stamped) => folded([stamped]).writes(key));
          const { fields, counters, tombstone } = foldRecord(all);
          assert.deepEqual(state.record(key), fields);
          assert.deepEqual(state.countersOf(key), counters);
          assert.deepEqual(state.tombstone(key), tombstone);
          const told = (writes: typeof all): string[] =>
            conflictsOf(writes).map((conflict) => JSON.stringify(conflict));
          assert.deepEqual(told(state.writes(key)).toSorted(), told(all).toSorted());
        }
      }),
      { numRuns: 200 },
    );
  });

  it('change nothing where they are drawn over all that there is', () => {
    fc.assert(
      fc.property(anyHistory, fc.nat({ max: 8 }), (history, keep) => {
        const before = folded(history);
        const horizons = drawn(history, HUBS[0] as Origin, 1, keep);
        const after = folded([...history, ...horizons]);
        assert.equal(digest(after), digest(before));
        for (const key of KEYS) {
          // Beyond twice what is kept, conflicts are not waited for.
          if (before.writes(key).length <= 2 * keep) {
            assert.deepEqual(conflictsOf(after.writes(key)), conflictsOf(before.writes(key)));
          }
          const single = after.writes(key).filter(({ kind }) => kind !== CONTROL);
          const isFolded = horizons.some(({ op }) => op.key === key);
          assert.ok(!isFolded || single.length < before.writes(key).length);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('hold for the tables of a hub, from zero and from a snapshot in the midst', () => {
    const store = openStore(tempDir());
    const restored = openStore(tempDir());
    fc.assert(
      fc.property(anySite, fc.nat({ max: 40 }), ([ops, shuffled], middle) => {
        const expected = digest(folded(ops));
        store.clear();
        store.apply(entriesOf(shuffled.slice(0, middle)), middle);
        restored.clear();
        restored.load(store.dump(), middle);
        for (const each of [store, restored]) {
          each.apply(entriesOf(shuffled.slice(middle)), shuffled.length + 1);
          assert.equal(each.digest().digest, expected);
        }
        const conflictsIn = ({ records }: typeof store): string[] =>
          records
            .conflicts(false, 100)
            .map(({ key, field, winner, loser }) => JSON.stringify([key, field, winner, loser]))
            .toSorted();
        assert.deepEqual(conflictsIn(restored), conflictsIn(store));
      }),
      { numRuns: 50 },
    );
    store.close();
    restored.close();
  });
});
