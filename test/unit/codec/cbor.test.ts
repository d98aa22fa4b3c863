import assert from 'node:assert/strict';
import { test } from 'vitest';

import { hexOf } from '../../../src/base/bytes.ts';
import { CborError, CborReader, decodeCbor } from '../../../src/codec/reader.ts';
import { type CborKey, cborMap, type CborValue } from '../../../src/codec/value.ts';
import { CborWriter, encodeCbor } from '../../../src/codec/writer.ts';
import { cpuMsSince } from '../../support/machine/cpu-time.ts';
import { fromHex } from '../../support/made/hex.ts';

/** Examples of RFC 8949 appendix A that lie within the profile. */
const EXAMPLES: readonly (readonly [string, CborValue])[] = [
  ['00', 0],
  ['17', 23],
  ['1818', 24],
  ['1903e8', 1_000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['20', -1],
  ['3903e7', -1_000],
  ['f98000', -0],
  ['f93e00', 1.5],
  ['fb3ff199999999999a', 1.1],
  ['fa7f7fffff', 3.402_823_466_385_288_6e38],
  ['f90001', 5.960_464_477_539_063e-8],
  ['f90400', 0.000_061_035_156_25],
  ['fbc010666666666666', -4.1],
  ['f97c00', Infinity],
  ['f97e00', Number.NaN],
  ['f9fc00', -Infinity],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['40', new Uint8Array(0)],
  ['4401020304', Uint8Array.of(1, 2, 3, 4)],
  ['60', ''],
  ['6449455446', 'IETF'],
  ['62c3bc', 'ü'],
  ['64f0908591', '𐅑'],
  ['80', []],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  ['a10102', new Map([[1, 2]])],
  ['a26161016162820203', cborMap({ a: 1, b: [2, 3] })],
];

test('the examples of RFC 8949 appendix A, there and back', () => {
  for (const [hex, value] of EXAMPLES) {
    assert.equal(hexOf(encodeCbor(value)), hex);
    assert.deepEqual(decodeCbor(fromHex(hex)), value);
  }
});

test('a whole number is an integer, however it was computed', () => {
  assert.equal(hexOf(encodeCbor(-8 / 2)), '23');
  assert.throws(() => decodeCbor(fromHex('f9c400')), CborError);
});

test('map keys stand in the order of their encoded bytes', () => {
  const keys: CborKey[] = ['aa', 'b', -1, 100, 10];
  const map = new Map(keys.map((key, index) => [key, index + 1]));
  assert.equal(hexOf(encodeCbor(map)), 'a5 0a05 186404 2003 616202 62616101'.replaceAll(' ', ''));
});

const REFUSED: readonly (readonly [what: string, hex: string, reason: RegExp])[] = [
  ['24 as one byte more', '1817', /shortest/],
  ['255 in two bytes', '1900ff', /shortest/],
  ['65535 in four bytes', '1a0000ffff', /shortest/],
  ['2^32 - 1 in eight bytes', '1b00000000ffffffff', /shortest/],
  ['-1 in two bytes', '3800', /shortest/],
  ['length 1 of bytes in two bytes', '580101', /shortest/],
  ['length 1 of text in two bytes', '780161', /shortest/],
  ['count 0 of an array in two bytes', '9800', /shortest/],
  ['count 0 of a map in two bytes', 'b800', /shortest/],
  ['a whole float', 'f93c00', /shortest/],
  ['1.5 as 32 bits', 'fa3fc00000', /shortest/],
  ['1.5 as 64 bits', 'fb3ff8000000000000', /shortest/],
  ['a float that fits 32 bits as 64', 'fb3ff1999980000000', /shortest/],
  ['NaN as 32 bits', 'fa7fc00000', /shortest/],
  ['another NaN', 'f97e01', /shortest/],
  ['2^53', '1b0020000000000000', /2\^53/],
  ['-2^53 - 1', '3b0020000000000000', /2\^53/],
  ['keys out of order', 'a2616201616101', /out of order/],
  ['a longer key before a shorter one', 'a262616101616201', /out of order/],
  ['a doubled key', 'a2616101616102', /out of order/],
  ['an array as key', 'a18000', /map key/],
  ['a boolean as key', 'a1f400', /map key/],
  ['a float as key', 'a1f93e0000', /map key/],
  ['minus zero as key, beside zero', 'a20000f9800001', /map key/],
  ['a tag', 'c11a514b67b0', /tags/],
  ['a self-description tag', 'd9d9f700', /tags/],
  ['indefinite bytes', '5f4101ff', /indefinite/],
  ['indefinite text', '7f6161ff', /indefinite/],
  ['an indefinite array', '9f01ff', /indefinite/],
  ['an indefinite map', 'bf616101ff', /indefinite/],
  ['a lone break', 'ff', /indefinite/],
  ['reserved additional information', '1c', /indefinite/],
  ['undefined', 'f7', /unknown simple/],
  ['an unassigned simple value', 'f0', /unknown simple/],
  ['a simple value in two bytes', 'f8ff', /unknown simple/],
  ['broken UTF-8', '62c328', /UTF-8/],
  ['a surrogate in UTF-8', '63eda080', /UTF-8/],
  ['nothing at all', '', /cut short/],
  ['bytes after the end', '0000', /after the end/],
];

test('what deterministic encoding rules out is refused, with the reason', () => {
  for (const [what, hex, reason] of REFUSED) {
    const bytes = fromHex(hex);
    assert.throws(
      () => decodeCbor(bytes),
      (error) => error instanceof CborError && reason.test(error.message),
      what,
    );
  }
});

test('a bomb costs nothing: lengths and counts are held against the bytes at hand', () => {
  const bombs = ['5bffffffffffffffff', '5b001fffffffffffff', '5affffffff', '7affffffff'];
  bombs.push('9affffffff', 'baffffffff', '9b001fffffffffffff', 'bb000fffffffffffff');
  for (const hex of bombs) {
    const began = process.cpuUsage();
    assert.throws(() => decodeCbor(fromHex(hex)), CborError, hex);
    assert.ok(cpuMsSince(began) < 50, hex);
  }
});

test('depth has a limit, well before the stack', () => {
  const nested = (depth: number): Uint8Array => new Uint8Array(depth).fill(0x81);
  const closed = (depth: number): Uint8Array => Uint8Array.of(...nested(depth), 0x80);
  const limits = { depthMax: 3, itemsMax: 100 };
  assert.doesNotThrow(() => decodeCbor(closed(3), limits));
  assert.throws(() => decodeCbor(closed(4), limits), /nested too deeply/);
  assert.throws(() => decodeCbor(nested(1_000_000)), /nested too deeply/);
  assert.throws(() => decodeCbor(fromHex('a100a100a100a100a0'), limits), /nested too deeply/);
});

test('the count of items has a limit over the whole document, keys included', () => {
  const limits = { depthMax: 4, itemsMax: 5 };
  assert.doesNotThrow(() => decodeCbor(fromHex('8400010203'), limits));
  assert.throws(() => decodeCbor(fromHex('850001020304'), limits), /too many items/);
  assert.throws(() => decodeCbor(fromHex('a3000001010202'), limits), /too many items/);
});

test('the cursor methods refuse another type than was asked for', () => {
  const cursor = (hex: string): CborReader => new CborReader(fromHex(hex));
  assert.throws(() => cursor('20').uint(), /not an unsigned integer/);
  assert.throws(() => cursor('60').int(), /not an integer/);
  assert.throws(() => cursor('60').bytes(), /not a byte string/);
  assert.throws(() => cursor('40').text(), /not a text/);
  assert.throws(() => cursor('a0').array(), /not an array/);
  assert.throws(() => cursor('80').map(), /not a map/);
  assert.throws(() => cursor('f6').bool(), /not a boolean/);
  assert.throws(() => cursor('f4').null(), /not null/);
  assert.throws(() => cursor('81').expectArray(2), CborError);
});

test('the cursor reads what a writer wrote, item by item', () => {
  const writer = new CborWriter(1).array(8).uint(7).int(-7).text('x'.repeat(30)).bool(true).null();
  writer.null().bytes(Uint8Array.of(9)).map(1).text('k').float(0.1);
  const reader = new CborReader(writer.peek());
  reader.expectArray(8);
  assert.equal(reader.uint(), 7);
  assert.equal(reader.int(), -7);
  assert.equal(reader.text(), 'x'.repeat(30));
  assert.equal(reader.bool(), true);
  assert.equal(reader.null(), null);
  assert.equal(
    reader.orNull(() => reader.bytes()),
    undefined,
  );
  assert.deepEqual(
    reader.orNull(() => reader.bytes()),
    Uint8Array.of(9),
  );
  assert.equal(reader.map(), 1);
  assert.equal(reader.text(), 'k');
  assert.equal(reader.value(), 0.1);
  assert.ok(reader.atEnd);
});

test('a writer starts again after reset, and a finished copy stays as it was', () => {
  const writer = new CborWriter(4).text('first');
  const first = writer.finish();
  writer.reset();
  writer.text('other');
  assert.equal(decodeCbor(first), 'first');
  assert.equal(decodeCbor(writer.peek()), 'other');
});

test('an undefined entry leaves its key out', () => {
  assert.deepEqual(cborMap({ a: 1, b: undefined }), new Map([['a', 1]]));
});
