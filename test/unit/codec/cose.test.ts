import assert from 'node:assert/strict';

import { decode } from 'cbor-x';
import { test } from 'vitest';

import { hexOf, utf8 } from '../../../src/base/bytes.ts';
import { parseCose, signCose, toBeSigned, verifyCose } from '../../../src/codec/cose.ts';
import { CborError } from '../../../src/codec/reader.ts';
import { encodeCbor } from '../../../src/codec/writer.ts';
import { Identity, verifyEd25519 } from '../../../src/keys/identity.ts';
import { fromHex } from '../../support/made/hex.ts';

const signer = Identity.fromSeed(new Uint8Array(32).fill(1));
const header = { contentType: 'text/plain', keyId: fromHex(signer.id) };
const signed = signCose(utf8('payload'), header, (bytes) => signer.sign(bytes));

test('a signed message comes back with its header and payload, and verifies', () => {
  const message = parseCose(signed);
  assert.equal(message.contentType, 'text/plain');
  assert.deepEqual(message.keyId, header.keyId);
  assert.deepEqual(message.payload, utf8('payload'));
  assert.equal(verifyCose(message, signer.publicKey, verifyEd25519), true);
});

test('another decoder sees a COSE_Sign1 of RFC 9052', () => {
  const [protectedBytes, unprotectedHeader, payload, signature] = decode(signed) as [
    Uint8Array,
    object,
    Uint8Array,
    Uint8Array,
  ];
  assert.deepEqual(Object.keys(unprotectedHeader), []);
  assert.equal(hexOf(payload), hexOf(utf8('payload')));
  assert.equal(signature.length, 64);
  const fields = decode(protectedBytes) as Record<string, unknown>;
  assert.deepEqual(Object.keys(fields), ['1', '3', '4']);
  assert.deepEqual([fields['1'], fields['3']], [-8, 'text/plain']);
  assert.equal(hexOf(fields['4'] as Uint8Array), signer.id);
  const structure = decode(toBeSigned(protectedBytes, payload)) as [string, ...Uint8Array[]];
  const [context, ...rest] = structure;
  assert.equal(context, 'Signature1');
  assert.deepEqual(rest.map(hexOf), [hexOf(protectedBytes), '', hexOf(payload)]);
});

test('no flipped bit is ever accepted', () => {
  for (let bit = 0; bit < signed.length * 8; bit++) {
    const damaged = signed.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
    try {
      assert.equal(
        verifyCose(parseCose(damaged), signer.publicKey, verifyEd25519),
        false,
        `bit ${bit}`,
      );
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
    }
  }
});

test('what COSE allows beyond our one form is refused', () => {
  const message = parseCose(signed);
  const parts = [message.protectedBytes, new Map(), message.payload, message.signature] as const;
  const variants = [
    encodeCbor([parts[0], new Map([[4, header.keyId]]), parts[2], parts[3]]),
    encodeCbor([encodeCbor(new Map([[1, -8]])), parts[1], parts[2], parts[3]]),
    encodeCbor([
      encodeCbor(
        new Map([
          [1, -7],
          [3, 1],
          [4, 1],
        ]),
      ),
      parts[1],
      parts[2],
      parts[3],
    ]),
    encodeCbor([parts[0], parts[1], null, parts[3]]),
    encodeCbor([parts[0], parts[1], parts[2], parts[3].subarray(1)]),
    encodeCbor([parts[0], parts[1], parts[2]]),
    signed.subarray(0, signed.length - 1),
    Uint8Array.of(...signed, 0),
    Uint8Array.of(),
  ];
  for (const variant of variants) assert.throws(() => parseCose(variant), CborError);
});
