import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import { CborWriter } from '../../src/codec/writer.ts';
import { type Conflict, conflictsOf, isDispute } from '../../src/merge/conflicts.ts';
import { digestOf } from '../../src/merge/state/digest.ts';
import { fold } from '../../src/merge/fold.ts';
import { encodeOrder } from '../../src/merge/order.ts';
import { MemoryState } from '../../src/merge/state/memory-state.ts';
import { encodeStateEntry, isHandedOn } from '../../src/merge/state/state-entry.ts';
import { type StateItem, writeStateItem } from '../../src/merge/state/state-item.ts';
import { encodeOpEntry } from '../../src/model/entry.ts';
import { encodeHeldEntry, type HeldLane } from '../../src/model/held.ts';
import { decodeRanges, encodeRanges, SeenOps } from '../../src/store/folding/seen-ops.ts';
import type { Lane } from '../../src/model/origin.ts';
import { sha256Hasher } from '../../src/store/sha256-hasher.ts';
import { anyShuffledHistory } from '../support/made/histories.ts';
import { entriesOf, openStore } from '../support/memory/stores.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

function plain({ key, field, kind, winner, loser }: Conflict & { key: string }): string {
  return [key, field, kind, hexOf(encodeOrder(winner)), hexOf(encodeOrder(loser))].join(' ');
}

/** As a hub journals what it takes over. */
function entriesOfState(items: Iterable<StateItem>): Uint8Array[] {
  const entries: Uint8Array[] = [];
  const lanes: HeldLane[] = [];
  for (const item of items) {
    if (item.type === 'lane') lanes.push(item);
    if (!isHandedOn(item)) continue;
    const writer = new CborWriter(256);
    writeStateItem(writer, item);
    entries.push(encodeStateEntry(writer.finish()));
  }
  return [...entries, encodeHeldEntry({ manifest: new Uint8Array(), lanes })];
}

function disputesOf(memory: MemoryState, key: string): Conflict[] {
  return conflictsOf(memory.writes(key)).filter((conflict) => isDispute(conflict));
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
          disputesOf(memory, key).map((conflict) => plain({ ...conflict, key })),
        );
        assert.deepEqual(open.toSorted(), expected.toSorted());
        assert.equal(ops, histories.history.filter(({ op }) => op.class !== 6).length);
      }),
      { numRuns: 100 },
    );
    store.close();
  });
});

describe('a state of another hub', () => {
  it('joins what was folded before, and what comes again or later, to what the ops come to', () => {
    const [giver, taker] = [openStore(tempDir()), openStore(tempDir())];
    const anyPlace = fc.nat({ max: 40 });
    fc.assert(
      fc.property(anyShuffledHistory, anyPlace, anyPlace, ({ history, shuffled }, given, own) => {
        const memory = new MemoryState();
        for (const op of history) fold(memory, op);
        giver.clear();
        giver.apply(entriesOf(history.slice(0, given)), given);
        taker.clear();
        taker.stage(entriesOf(shuffled.slice(0, own)), own);
        let lsn = own;
        for (const entry of entriesOfState(giver.dump())) {
          assert.equal(taker.stageEntry(++lsn, entry), undefined);
          entry.fill(0);
        }
        assert.equal(taker.reader.joinedLsn, lsn);
        taker.stage(entriesOf(shuffled.slice(own)), lsn + shuffled.length);
        taker.commit();
        const { digest, ops } = taker.digest();
        assert.equal(digest, hexOf(digestOf(memory, sha256Hasher()).digest));
        assert.equal(ops, history.filter(({ op }) => op.class !== 6).length);
        const open = taker.records.conflicts(false, 1000).map((conflict) => plain(conflict));
        const expected = ['a', 'a\u0000b', 'ß/漢'].flatMap((key) =>
          disputesOf(memory, key).map((conflict) => plain({ ...conflict, key })),
        );
        assert.deepEqual(open.toSorted(), expected.toSorted());
      }),
      { numRuns: 100 },
    );
    giver.close();
    taker.close();
  });

  it('is refused where an item is malformed, and the store goes on', () => {
    const store = openStore(tempDir());
    const bad = encodeStateEntry(Uint8Array.of(0x83, 0x03, 0x00));
    assert.match(store.stageEntry(1, bad) ?? '', /./);
    const doc = { heads: new Map(), state: Uint8Array.of(0xff, 0xff) };
    const [entry = bad] = entriesOfState([{ type: 'doc', key: 'd', doc }]);
    assert.match(store.stageEntry(2, entry) ?? '', /document/);
    store.commit();
    assert.equal(store.checkpointLsn, 2);
    store.close();
  });
});

describe('seen ops', () => {
  it('join like sets', () => {
    const lane = 'aaaaaaaaaaaaaaaa/3' as Lane;
    const anySeqs = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 20 });
    const seenOf = (seqs: readonly number[]): SeenOps => {
      const seen = new SeenOps();
      for (const seq of seqs) seen.lane(lane).add(seq);
      return seen;
    };
    fc.assert(
      fc.property(anySeqs, anySeqs, (a, b) => {
        const joined = seenOf(a);
        for (const each of seenOf(b).all()) joined.join(each);
        const { upTo, beyond } = seenOf([...a, ...b]).lane(lane);
        const found = joined.lane(lane);
        assert.deepEqual([found.upTo, found.beyond], [upTo, beyond]);
      }),
    );
  });

  it('are a set per lane that survives being written down', () => {
    const lane = 'aaaaaaaaaaaaaaaa/3' as Lane;
    const anySeqs = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 });
    fc.assert(
      fc.property(anySeqs, anySeqs, (before, after) => {
        let seen = new SeenOps();
        const model = new Set<number>();
        const addAll = (seqs: readonly number[]): void => {
          for (const seq of seqs) {
            assert.equal(seen.lane(lane).add(seq), !model.has(seq));
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
