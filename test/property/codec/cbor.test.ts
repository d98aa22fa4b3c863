/** Laws of the CBOR profile; cbor-x is the independent reader that has to agree. */
import assert from 'node:assert/strict';
import { Decoder } from 'cbor-x';
import fc from 'fast-check';
import { test } from 'vitest';

import { CborError, CborReader, decodeCbor } from '../../../src/codec/reader.ts';
import type { CborKey, CborValue } from '../../../src/codec/value.ts';
import { CborWriter, encodeCbor } from '../../../src/codec/writer.ts';
import { anyCbor } from '../../support/made/arbitrary.ts';

const oracle = new Decoder({ mapsAsObjects: false, useRecords: false });

test('a value reads back as it was written', () => {
  fc.assert(
    fc.property(anyCbor, (value) => {
      assert.deepEqual(sorted(decodeCbor(encodeCbor(value))), sorted(value));
    }),
  );
});

test('a reader that we did not write sees the same value', () => {
  fc.assert(
    fc.property(anyCbor, (value) => {
      const bytes = encodeCbor(value);
      assert.deepEqual(sorted(narrowed(oracle.decode(bytes))), sorted(value));
    }),
  );
});

test('the order in which a map was filled does not show', () => {
  const anyMap = fc.array(fc.tuple(fc.string({ maxLength: 30 }), anyCbor), { maxLength: 10 });
  fc.assert(
    fc.property(anyMap, (pairs) => {
      const forward = new Map(pairs);
      const backward = new Map([...forward].toReversed());
      assert.deepEqual(encodeCbor(backward), encodeCbor(forward));
    }),
  );
});

test('bytes that are read have no other encoding: what decodes, encodes to the same bytes', () => {
  fc.assert(
    fc.property(anyCbor, fc.array(mutation(), { maxLength: 3 }), (value, mutations) => {
      const bytes = mutations.reduce((current, mutate) => mutate(current), encodeCbor(value));
      const decoded = decodedOrRefused(bytes);
      if (decoded !== undefined) assert.deepEqual(encodeCbor(decoded.value), bytes);
    }),
    { numRuns: 2_000 },
  );
});

test('noise is read or refused, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const decoded = decodedOrRefused(bytes);
      if (decoded !== undefined) assert.deepEqual(encodeCbor(decoded.value), bytes);
    }),
    { numRuns: 5_000 },
  );
});

test('every beginning of an encoding is refused as cut short', () => {
  fc.assert(
    fc.property(anyCbor, fc.nat(), (value, at) => {
      const bytes = encodeCbor(value);
      const cut = bytes.subarray(0, at % bytes.length);
      assert.throws(() => decodeCbor(cut), CborError);
    }),
  );
});

test('a sequence of values is stepped through item by item', () => {
  fc.assert(
    fc.property(fc.array(anyCbor, { maxLength: 6 }), (values) => {
      const writer = new CborWriter(1);
      for (const value of values) writer.value(value);
      const reader = new CborReader(writer.finish());
      for (const value of values) assert.deepEqual(reader.skip(), encodeCbor(value));
      assert.ok(reader.atEnd);
    }),
  );
});

type Mutation = (bytes: Uint8Array) => Uint8Array;

/** Overwrites, removes or inserts a byte: near misses of valid encodings. */
function mutation(): fc.Arbitrary<Mutation> {
  const anyByte = fc.integer({ min: 0, max: 255 });
  return fc
    .tuple(fc.constantFrom('set', 'cut', 'insert'), fc.nat(), anyByte)
    .map(([how, place, byte]): Mutation => (bytes) => {
      const at = place % (bytes.length + 1);
      if (how === 'set' && at < bytes.length) return bytes.with(at, byte);
      const rest = bytes.subarray(how === 'cut' ? at + 1 : at);
      const inserted = how === 'insert' ? [byte] : [];
      return Uint8Array.from([...bytes.subarray(0, at), ...inserted, ...rest]);
    });
}

function decodedOrRefused(bytes: Uint8Array): { value: CborValue } | undefined {
  try {
    return { value: decodeCbor(bytes) };
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** cbor-x gives integers of 8 bytes as bigint. */
function narrowed(value: unknown): CborValue {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(narrowed);
  if (!(value instanceof Map)) return value as CborValue;
  return new Map([...value].map(([key, item]) => [narrowed(key) as CborKey, narrowed(item)]));
}

/** The same value with map keys in one order and byte strings of one class, for comparison. */
function sorted(value: CborValue): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (value instanceof Map) {
    const pairs = [...(value as ReadonlyMap<string | number, CborValue>)];
    const named = pairs.map(([key, item]) => [`${typeof key} ${key}`, sorted(item)] as const);
    return { map: named.toSorted(([a], [b]) => (a < b ? -1 : 1)) };
  }
  return Array.isArray(value) ? (value as CborValue[]).map(sorted) : value;
}
