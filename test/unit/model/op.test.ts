import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { CborError } from '../../../src/codec/reader.ts';
import type { CborValue } from '../../../src/codec/value.ts';
import { encodeCbor } from '../../../src/codec/writer.ts';
import { decodeEntry, encodeOpEntry } from '../../../src/model/entry.ts';
import { HLC_ZERO } from '../../../src/model/hlc.ts';
import { BODY_BYTES_MAX, decodeOp, encodeOp, KEY_BYTES_MAX } from '../../../src/model/op.ts';
import { type Origin, originOfText } from '../../../src/model/origin.ts';

const ORIGIN = originOfText('0123456789abcdef') as Origin;
const STAMP = { hub: ORIGIN, hlc: HLC_ZERO, authority: 1, rosterEpoch: 0 };

type Parts = Partial<
  Record<'origin' | 'class' | 'seq' | 'hlc' | 'clock' | 'kind' | 'key' | 'body', CborValue>
>;

/** An op by its parts, so that each can be wrong. */
function opOf(parts: Parts = {}): Uint8Array {
  const { origin, seq, hlc, clock, kind, key, body } = parts;
  return encodeCbor([
    origin ?? new Uint8Array(8),
    parts.class ?? 3,
    seq ?? 1,
    hlc ?? new Uint8Array(8),
    clock ?? [0, 7, 9],
    kind ?? 0,
    key ?? 'a',
    body ?? utf8('21.5'),
  ]);
}

test('the parts that the wrong ones below are made of are right', () => {
  assert.deepEqual(decodeOp(opOf()), {
    origin: '0000000000000000',
    class: 3,
    seq: 1,
    hlc: HLC_ZERO,
    clock: { quality: 'unknown', bootId: 7, monotonicMs: 9 },
    kind: 0,
    key: 'a',
    body: utf8('21.5'),
  });
});

const WRONG: readonly (readonly [what: string, parts: Parts, reason: RegExp])[] = [
  ['a short origin', { origin: new Uint8Array(7) }, /origin is not 8 bytes/],
  ['an origin as text', { origin: '01234567' }, /not a byte string/],
  ['class 7', { class: 7 }, /unknown class/],
  ['sequence number 0', { seq: 0 }, /begin at 1/],
  ['a negative sequence number', { seq: -1 }, /not an unsigned integer/],
  ['a fractional sequence number', { seq: 1.5 }, /not an unsigned integer/],
  ['an hlc of 9 bytes', { hlc: new Uint8Array(9) }, /hlc is not 8 bytes/],
  ['a clock of two', { clock: [0, 7] }, /not an array of 3/],
  ['clock quality 4', { clock: [4, 7, 9] }, /unknown clock quality/],
  ['a boot id of 33 bits', { clock: [0, 2 ** 32, 9] }, /boot id/],
  ['kind 8', { kind: 8 }, /unknown kind/],
  ['an empty key', { key: '' }, /key is empty or too long/],
  ['a key as bytes', { key: utf8('a') }, /not a text/],
  ['a body as text', { body: '21.5' }, /not a byte string/],
];

test('an op with a wrong part is refused, with the reason', () => {
  for (const [what, parts, reason] of WRONG) {
    const refused = (error: unknown): boolean =>
      error instanceof CborError && reason.test(error.message);
    assert.throws(() => decodeOp(opOf(parts)), refused, what);
  }
});

test('an op of seven or nine parts is none', () => {
  assert.throws(() => decodeOp(encodeCbor([0, 0, 0, 0, 0, 0, 0])), /not an array of 8/);
  assert.throws(() => decodeOp(encodeCbor([0, 0, 0, 0, 0, 0, 0, 0, 0])), /not an array of 8/);
});

test('limits of key and body count bytes, not characters', () => {
  const widest = 'ü'.repeat(KEY_BYTES_MAX / 2);
  assert.equal(decodeOp(opOf({ key: widest })).key, widest);
  assert.equal(decodeOp(opOf({ key: 'a'.repeat(KEY_BYTES_MAX) })).key.length, KEY_BYTES_MAX);
  assert.throws(() => decodeOp(opOf({ key: `${widest}a` })), /key is empty or too long/);
  assert.throws(() => decodeOp(opOf({ key: 'a'.repeat(KEY_BYTES_MAX + 1) })), /too long/);
  const largest = new Uint8Array(BODY_BYTES_MAX);
  assert.equal(decodeOp(opOf({ body: largest })).body.length, BODY_BYTES_MAX);
  assert.throws(
    () => decodeOp(opOf({ body: new Uint8Array(BODY_BYTES_MAX + 1) })),
    /body too long/,
  );
});

test('what is encoded is what WIRE.cddl draws, byte for byte', () => {
  const bytes = encodeOp({
    origin: ORIGIN,
    class: 0,
    seq: 300,
    hlc: { ms: 1, counter: 2 },
    clock: { quality: 'ntp', bootId: 7, monotonicMs: 1_000 },
    kind: 0,
    key: 'alarms/door',
    body: utf8('open'),
  });
  const expected = encodeCbor([
    Uint8Array.of(0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef),
    0,
    300,
    Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 2),
    [3, 7, 1_000],
    0,
    'alarms/door',
    utf8('open'),
  ]);
  assert.deepEqual(bytes, expected);
});

test('an entry of unknown type, count or authority, or with bytes behind it, is refused', () => {
  const op = opOf();
  assert.throws(() => decodeEntry(encodeCbor([2, 0])), /unknown entry/);
  assert.throws(() => decodeEntry(encodeCbor([0, 0])), /unknown entry/);
  assert.throws(() => decodeEntry(encodeCbor([1, 0, 0])), /unknown entry/);
  assert.throws(
    () => decodeEntry(Uint8Array.of(...encodeOpEntry(op, STAMP), 0)),
    /after the entry/,
  );
  for (const authority of [0, 5]) {
    const entry = encodeOpEntry(op, { ...STAMP, authority });
    assert.throws(() => decodeEntry(entry), /unknown authority/);
  }
});
