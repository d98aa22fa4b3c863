/** Arbitrary values of our own types, for the laws in test/property. */
import fc from 'fast-check';

import type { CborKey, CborValue } from '../../../src/codec/value.ts';
import type { OpClass } from '../../../src/model/class.ts';
import type { Hlc } from '../../../src/model/hlc.ts';
import { EVENT, type Kind, KIND_NAMES, type Op, type Stamp } from '../../../src/model/op.ts';
import { type Lane, laneOf, type Origin, originOfBytes } from '../../../src/model/origin.ts';
import type { VersionVector } from '../../../src/model/version-vector.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 40 });
const anyNumber = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.double(),
  fc.float(),
  fc.constantFrom(0, -0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 2 ** -24),
);
const anyKey: fc.Arbitrary<CborKey> = fc.oneof(
  anyText,
  fc.maxSafeInteger().map((n) => n + 0),
);

/** Any value of the CBOR profile, nested up to six levels. */
export const anyCbor: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 6, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    anyNumber,
    anyText,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 8 }),
    fc.array(fc.tuple(anyKey, tie('value')), { maxLength: 8 }).map((pairs) => new Map(pairs)),
  ),
})).value;

/** Records as our own code makes them, with the usual prototype. */
function plainRecord<T>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(parts, { noNullPrototype: true });
}

export const anyOrigin: fc.Arbitrary<Origin> = fc
  .uint8Array({ minLength: 8, maxLength: 8 })
  .map((bytes) => originOfBytes(bytes) as Origin);

export const anyClass = fc.integer({ min: 0, max: 6 }) as fc.Arbitrary<OpClass>;
export const anyHlc: fc.Arbitrary<Hlc> = plainRecord({
  ms: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  counter: fc.integer({ min: 0, max: 0xffff }),
});

export const anyOp: fc.Arbitrary<Op> = plainRecord({
  origin: anyOrigin,
  class: anyClass,
  seq: fc.maxSafeNat().map((seq) => Math.max(1, seq)),
  hlc: anyHlc,
  clock: plainRecord({
    quality: fc.constantFrom('unknown', 'rtc', 'peer', 'ntp'),
    bootId: fc.integer({ min: 0, max: 0xffffffff }),
    monotonicMs: fc.maxSafeNat(),
  }),
  kind: fc.integer({ min: EVENT, max: KIND_NAMES.length - 1 }) as fc.Arbitrary<Kind>,
  key: anyText.filter((text) => text !== ''),
  body: fc.uint8Array({ maxLength: 400 }),
});

export const anyStamp: fc.Arbitrary<Stamp> = plainRecord({
  hub: anyOrigin,
  hlc: anyHlc,
  authority: fc.integer({ min: 1, max: 4 }),
  rosterEpoch: fc.maxSafeNat(),
});

/** Few origins, so that two vectors share lanes. */
const nearOrigin = fc.constantFrom('00', '01', 'ff').map((byte) => byte.repeat(8) as Origin);
const anyLane: fc.Arbitrary<Lane> = fc
  .tuple(nearOrigin, anyClass)
  .map(([origin, opClass]) => laneOf(origin, opClass));

export const anyVector: fc.Arbitrary<VersionVector> = fc
  .array(fc.tuple(anyLane, fc.integer({ min: 0, max: 5 })), { maxLength: 12 })
  .map((pairs) => new Map(pairs));
