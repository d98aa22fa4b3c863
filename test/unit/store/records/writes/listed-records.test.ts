import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { hexOf } from '../../../../../src/base/bytes.ts';
import { Edits, STEP_MS } from '../../../../../src/cli/bench/merge/edits.ts';
import { CborReader } from '../../../../../src/codec/reader.ts';
import { conflictsOf } from '../../../../../src/merge/conflicts.ts';
import { fold } from '../../../../../src/merge/fold.ts';
import { MemoryState } from '../../../../../src/merge/state/memory-state.ts';
import { digestOf } from '../../../../../src/merge/state/digest.ts';
import { encodeOpEntry } from '../../../../../src/model/entry.ts';
import { AUTHORITY, readOp, type StampedOp } from '../../../../../src/model/op.ts';
import {
  LISTED_OPS_MAX,
  ListedRecords,
} from '../../../../../src/store/records/writes/listed-records.ts';
import { sha256Hasher } from '../../../../../src/store/sha256-hasher.ts';
import { HUB } from '../../../../support/made/ops.ts';
import { openStore } from '../../../../support/memory/stores.ts';
import { tempDir } from '../../../../support/machine/temp-dir.ts';

/** A field team on two work orders and a busy third. */
function edits(count: number): StampedOp[] {
  const work = new Edits(1_000_000, { count: 2, isCrowded: true });
  const ops: StampedOp[] = [];
  while (ops.length < count) {
    const { bytes } = work.next();
    const reader = new CborReader(bytes);
    for (let left = reader.array(); left > 0; left--) {
      const start = reader.offset;
      const op = readOp(reader);
      const hlc = { ms: 1_000_001 + ops.length * STEP_MS, counter: 0 };
      const stamp = { hub: HUB, hlc, authority: AUTHORITY.technician, rosterEpoch: 0 };
      ops.push({ bytes: bytes.slice(start, reader.offset), op, stamp });
    }
  }
  return ops;
}

describe('records whose ops are listed in memory', () => {
  it('stand as they should while they grow beyond what is listed, flushed or not', () => {
    const store = openStore(tempDir());
    const memory = new MemoryState();
    const ops = edits(4 * LISTED_OPS_MAX);
    for (const [index, stamped] of ops.entries()) {
      fold(memory, stamped);
      const entry = encodeOpEntry(stamped.bytes, stamped.stamp);
      assert.equal(store.stageEntry(index + 1, entry), undefined);
      // The bytes are the journal's again.
      entry.fill(0);
      if (index % 97 === 0) store.flush(1, false);
      if (index % 211 === 0) store.commit();
      if (index % 31 !== 0) continue;
      const { key } = stamped.op;
      assert.equal(store.records.history(key).length, memory.writes(key).length);
      assert.equal(store.digest().digest, hexOf(digestOf(memory, sha256Hasher()).digest));
      const expected = conflictsOf(memory.writes(key)).length;
      assert.equal(store.records.openConflicts(key, 1_000).length, expected);
    }
    store.close();
  });
});

/** Records of so many ops each, which tell how often they were read. */
class Rig {
  readonly listed = new ListedRecords();
  reads = 0;

  of(keyId: number, ops: number, bytes = 100): number | undefined {
    const list = this.listed.of(keyId, () => {
      this.reads += 1;
      return Array.from({ length: ops }, () => new Uint8Array(bytes));
    });
    return list?.size;
  }
}

describe('what is listed', () => {
  it('is read once, and again when something has happened to it', () => {
    const rig = new Rig();
    assert.equal(rig.of(1, 3), 3);
    rig.listed.add(1, new Uint8Array(100));
    assert.equal(rig.of(1, 4), 4);
    assert.equal(rig.reads, 1);
    rig.listed.forget(1);
    assert.equal(rig.of(1, 2), 2);
    assert.equal(rig.reads, 2);
  });

  it('is not what has too many ops, from the start or by and by, until that is over', () => {
    const rig = new Rig();
    assert.equal(rig.of(1, LISTED_OPS_MAX + 1), undefined);
    assert.equal(rig.of(2, LISTED_OPS_MAX), LISTED_OPS_MAX);
    rig.listed.add(2, new Uint8Array(100));
    for (const keyId of [1, 2]) assert.equal(rig.of(keyId, LISTED_OPS_MAX + 1), undefined);
    assert.equal(rig.reads, 2);
    rig.listed.forget(1);
    assert.equal(rig.of(1, 1), 1);
    assert.equal(rig.of(2, 1), undefined);
    rig.listed.clear();
    assert.equal(rig.of(2, 1), 1);
  });

  it.each([
    ['records', 256, 1, 100],
    ['ops', 17, LISTED_OPS_MAX, 100],
    ['bytes', 17, 1, 32 << 10],
  ])('goes as a whole where there are too many %s', (_, records, ops, bytes) => {
    const rig = new Rig();
    for (let keyId = 1; keyId <= records; keyId++) rig.of(keyId, ops, bytes);
    assert.equal(rig.reads, records);
    rig.of(1, ops, bytes);
    assert.equal(rig.reads, records, 'the first is still there');
    rig.of(records + 1, ops, bytes);
    rig.of(1, ops, bytes);
    assert.equal(rig.reads, records + 2, 'all went for one more');
  });

  it('is counted anew where too many records are known to have too many ops', () => {
    const listed = new ListedRecords();
    const many = Array.from({ length: LISTED_OPS_MAX + 1 }, () => new Uint8Array(1));
    let reads = 0;
    const look = (keyId: number): void => {
      listed.of(keyId, () => {
        reads += 1;
        return many;
      });
    };
    const known = 1 << 16;
    for (let keyId = 1; keyId <= known; keyId++) look(keyId);
    look(1);
    assert.equal(reads, known);
    look(known + 1);
    look(1);
    assert.equal(reads, known + 2);
  });
});
