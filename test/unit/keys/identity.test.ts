import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';

import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { HubError } from '../../../src/base/errors.ts';
import { Identity, verifyEd25519 } from '../../../src/keys/identity.ts';
import { machineRandom } from '../../../src/platform/random.ts';
import { fromHex } from '../../support/made/hex.ts';
import { MemoryFiles } from '../../support/memory/memory-files.ts';

const PATH = 'data/keys/hub.pem';

test('signs as RFC 8032 §7.1 says (test 2), and verifies it', () => {
  const seed = fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb');
  const identity = Identity.fromSeed(seed);
  const publicKey = fromHex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
  assert.deepEqual(identity.publicKey, publicKey);
  const signature = fromHex(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  );
  const message = Uint8Array.of(0x72);
  assert.deepEqual(identity.sign(message), signature);
  assert.equal(verifyEd25519(publicKey, message, signature), true);
  assert.equal(verifyEd25519(publicKey, Uint8Array.of(0x73), signature), false);
  assert.equal(verifyEd25519(publicKey.subarray(1), message, signature), false);
  assert.equal(verifyEd25519(publicKey, message, signature.subarray(1)), false);
});

test('the id is the first 8 bytes of the SHA-256 of the public key', () => {
  const identity = Identity.fromSeed(new Uint8Array(32).fill(7));
  const digest = createHash('sha256').update(identity.publicKey).digest('hex');
  assert.equal(identity.id, digest.slice(0, 16));
});

test('a new identity is kept and found again; openssl-compatible PEM', () => {
  const files = new MemoryFiles();
  const made = Identity.open({ files, path: PATH, random: machineRandom });
  const again = Identity.open({ files, path: PATH, random: machineRandom });
  assert.equal(again.id, made.id);
  assert.equal(verifyEd25519(made.publicKey, utf8('x'), again.sign(utf8('x'))), true);
  const pem = Buffer.from(files.read(PATH) as Uint8Array).toString();
  const { x } = createPublicKey(pem).export({ format: 'jwk' });
  assert.equal(x, Buffer.from(made.publicKey).toString('base64url'));
});

test("of two that make a key at once, the second takes the first one's", () => {
  const files = new MemoryFiles();
  let first: Identity | undefined;
  const overtaken = {
    read: (path: string) => files.read(path),
    makeDir: () => undefined,
    createNew: (path: string, bytes: Uint8Array) => {
      first ??= Identity.open({ files, path, random: machineRandom });
      return files.createNew(path, bytes);
    },
  };
  const second = Identity.open({ files: overtaken, path: PATH, random: machineRandom });
  assert.equal(second.id, first?.id);
  assert.deepEqual(second.sign(utf8('x')), first?.sign(utf8('x')));
});

test('a damaged key file is a fault and stays as it is', () => {
  const files = new MemoryFiles();
  files.replace(PATH, utf8('-----BEGIN PRIVATE KEY-----\nnonsense'));
  assert.throws(
    () => Identity.open({ files, path: PATH, random: machineRandom }),
    (error) => error instanceof HubError && error.code === 'keys.damaged',
  );
  assert.deepEqual(files.read(PATH), utf8('-----BEGIN PRIVATE KEY-----\nnonsense'));
});
