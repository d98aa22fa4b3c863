import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import {
  type LaneRange,
  opsInRanges,
  RangeSet,
  readRanges,
  writeRanges,
} from '../../../src/batch/ranges.ts';
import { CborError, CborReader } from '../../../src/codec/reader.ts';
import { CborWriter, encodeCbor } from '../../../src/codec/writer.ts';
import type { OpClass } from '../../../src/model/class.ts';
import type { Origin } from '../../../src/model/origin.ts';

const A = 'aa'.repeat(8) as Origin;
const B = 'bb'.repeat(8) as Origin;

const anySeqs = fc.array(
  fc.record({
    origin: fc.constantFrom(A, B),
    class: fc.constantFrom<OpClass>(0, 3),
    seq: fc.integer({ min: 1, max: 30 }),
  }),
  { maxLength: 60 },
);

test('whatever the order and the doubles, the set is the same, in one canonical form', () => {
  fc.assert(
    fc.property(anySeqs, (seqs) => {
      const set = new RangeSet();
      const distinct = new Set<string>();
      for (const { origin, class: opClass, seq } of seqs) {
        const key = `${origin}/${opClass}/${seq}`;
        assert.equal(set.add(origin, opClass, seq), !distinct.has(key));
        distinct.add(key);
      }
      const ranges = set.list();
      assert.equal(opsInRanges(ranges), distinct.size);
      for (const { origin, class: opClass, from, to } of ranges) {
        for (let seq = from; seq <= to; seq++)
          assert.ok(distinct.has(`${origin}/${opClass}/${seq}`));
      }
      const writer = new CborWriter();
      writeRanges(writer, ranges);
      assert.deepEqual(readRanges(new CborReader(writer.finish())), ranges);
    }),
  );
});

test('ranges that are not canonical are refused', () => {
  const bytes = (byte: number): Uint8Array => new Uint8Array(8).fill(byte);
  const range = (byte: number, from: number, to: number): (Uint8Array | number)[] => {
    return [bytes(byte), 3, from, to];
  };
  for (const ranges of [
    [range(1, 0, 3)],
    [range(1, 4, 3)],
    [range(1, 1, 3), range(1, 4, 5)],
    [range(1, 1, 3), range(1, 3, 5)],
    [range(1, 5, 6), range(1, 1, 3)],
    [range(2, 1, 3), range(1, 1, 3)],
    [[bytes(1), 7, 1, 3]],
    [[new Uint8Array(7), 3, 1, 3]],
    [[bytes(1), 3, 1]],
  ]) {
    assert.throws(() => readRanges(new CborReader(encodeCbor(ranges))), CborError);
  }
});

test('a long run is one range', () => {
  const set = new RangeSet();
  for (let seq = 1; seq <= 5_000; seq++) set.add(A, 3, seq);
  assert.deepEqual(set.list(), [{ origin: A, class: 3, from: 1, to: 5_000 } satisfies LaneRange]);
});
