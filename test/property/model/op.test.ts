/** Laws of ops, stamps and journal entries. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { CborError } from '../../../src/codec/reader.ts';
import {
  decodeEntry,
  encodeCopyEntry,
  encodeLocalEntry,
  encodeOpEntry,
  OpEntryReader,
} from '../../../src/model/entry.ts';
import { encodeCbor } from '../../../src/codec/writer.ts';
import { compareStamps, decodeOp, encodeOp } from '../../../src/model/op.ts';
import { anyCbor, anyOp, anyStamp } from '../../support/made/arbitrary.ts';

test('an op reads back as it was written, and its bytes are its only encoding', () => {
  fc.assert(
    fc.property(anyOp, (op) => {
      const bytes = encodeOp(op);
      assert.deepEqual(decodeOp(bytes), op);
      assert.deepEqual(encodeOp(decodeOp(bytes)), bytes);
    }),
  );
});

test('a changed byte gives another op or none, never the same', () => {
  fc.assert(
    fc.property(anyOp, fc.nat(), fc.integer({ min: 1, max: 255 }), (op, place, change) => {
      const bytes = encodeOp(op);
      const at = place % bytes.length;
      const changed = bytes.with(at, (bytes[at] ?? 0) ^ change);
      try {
        assert.deepEqual(encodeOp(decodeOp(changed)), changed);
      } catch (error) {
        assert.ok(error instanceof CborError, String(error));
      }
    }),
    { numRuns: 1_000 },
  );
});

test('an op cut short or prolonged is refused', () => {
  fc.assert(
    fc.property(anyOp, fc.nat(), (op, place) => {
      const bytes = encodeOp(op);
      assert.throws(() => decodeOp(bytes.subarray(0, place % bytes.length)), CborError);
      assert.throws(() => decodeOp(Uint8Array.of(...bytes, 0)), CborError);
    }),
  );
});

test('an op entry keeps the bytes of its op untouched and gives its stamp back', () => {
  fc.assert(
    fc.property(anyOp, anyStamp, (op, stamp) => {
      const opBytes = encodeOp(op);
      const entry = decodeEntry(encodeOpEntry(opBytes, stamp));
      assert.deepEqual(entry, { type: 'op', stamped: { bytes: opBytes, op, stamp } });
    }),
  );
});

test('a reader that goes from op to op says the same, and nothing of the op before', () => {
  const reader = new OpEntryReader();
  fc.assert(
    fc.property(anyOp, anyStamp, (op, stamp) => {
      const bytes = encodeOp(op);
      const entry = encodeOpEntry(bytes, stamp);
      assert.deepEqual(reader.read(entry), { bytes, op, stamp });
      assert.throws(() => reader.read(Uint8Array.of(...entry, 0)), CborError);
      assert.equal(reader.read(encodeLocalEntry(encodeCbor(0))), undefined);
      assert.equal(reader.read(encodeCopyEntry(bytes, stamp)), undefined);
    }),
  );
});

test('a local entry gives its body back', () => {
  fc.assert(
    fc.property(anyCbor, (value) => {
      const body = encodeCbor(value);
      assert.deepEqual(decodeEntry(encodeLocalEntry(body)), { type: 'local', body });
    }),
  );
});

test('the order of stamps is total, and equal only where hub and time are', () => {
  const near = anyStamp.map((stamp) => ({
    ...stamp,
    hlc: { ms: stamp.hlc.ms % 2, counter: stamp.hlc.counter % 2 },
  }));
  fc.assert(
    fc.property(near, near, near, (a, b, c) => {
      const order = compareStamps(a, b);
      assert.equal(Math.sign(order), -Math.sign(compareStamps(b, a)));
      const same = a.hub === b.hub && a.hlc.ms === b.hlc.ms && a.hlc.counter === b.hlc.counter;
      assert.equal(order === 0, same);
      if (order <= 0 && compareStamps(b, c) <= 0) assert.ok(compareStamps(a, c) <= 0);
    }),
  );
});
