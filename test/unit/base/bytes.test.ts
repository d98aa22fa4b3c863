import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import {
  bytesEqual,
  bytesOfHex,
  compareBytes,
  concatBytes,
  hexOf,
  textOf,
  utf8,
} from '../../../src/base/bytes.ts';

const anyBytes = fc.uint8Array({ maxLength: 40 });

test('hex there and back', () => {
  fc.assert(fc.property(anyBytes, (bytes) => assert.deepEqual(bytesOfHex(hexOf(bytes)), bytes)));
  assert.equal(hexOf(Uint8Array.of(0, 15, 255)), '000fff');
});

test('what is not hex is refused', () => {
  for (const text of ['0', '0g', 'zz', '0x', ' 00']) assert.equal(bytesOfHex(text), undefined);
});

test('order of bytes is that of Buffer.compare, and hex keeps it', () => {
  fc.assert(
    fc.property(anyBytes, anyBytes, (a, b) => {
      const order = Math.sign(compareBytes(a, b));
      assert.equal(order, Buffer.compare(a, b));
      assert.equal(bytesEqual(a, b), order === 0);
      const [hexA, hexB] = [hexOf(a), hexOf(b)];
      assert.equal(order, hexA < hexB ? -1 : Number(hexA > hexB));
    }),
  );
});

test('joining parts keeps every byte in order', () => {
  fc.assert(
    fc.property(fc.array(anyBytes), (parts) => {
      assert.deepEqual(concatBytes(parts), new Uint8Array(Buffer.concat(parts)));
    }),
  );
});

test('text survives UTF-8, a byte order mark included; broken UTF-8 is no text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => assert.equal(textOf(utf8(text)), text)),
  );
  assert.equal(textOf(utf8('\ufeffx')), '\ufeffx');
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
    assert.equal(textOf(Uint8Array.from(bytes)), undefined);
  }
});
