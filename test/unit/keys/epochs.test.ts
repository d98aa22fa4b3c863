/** Data keys of epochs: made, found, wrapped to hub and operator, destroyed. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';

import { test } from 'vitest';

import { bytesEqual, hexOf, utf8 } from '../../../src/base/bytes.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { EpochKeys } from '../../../src/keys/epochs.ts';
import {
  findKeks,
  kekOf,
  type KeyOpener,
  openKeks,
  readEscrowKey,
} from '../../../src/keys/key-encryption.ts';
import { x25519PublicKeyOf } from '../../../src/keys/wrapping.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';

const DIR = '/data/keys/epochs';
const KEK_PATH = '/data/keys/kek';
const random = new SeededRandom(1);
const kek = kekOf(new Uint8Array(32).fill(1));
const otherKek = kekOf(new Uint8Array(32).fill(2));

function folder(files = new SimFiles({ random }), ...openers: KeyOpener[]): EpochKeys {
  return new EpochKeys({ files, dir: DIR, log: SILENT_LOG, openers });
}

function operator(): { publicKey: Uint8Array; pem: string } {
  const pair = generateKeyPairSync('x25519');
  const der = pair.publicKey.export({ type: 'spki', format: 'der' });
  const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const publicKey = x25519PublicKeyOf(der.subarray(-32).toString('base64'));
  assert.ok(publicKey !== undefined);
  return { publicKey, pem };
}

test('a key is found by epoch and id, with the key-encryption key it was wrapped to and no other', () => {
  const files = new SimFiles({ random });
  const made = folder(files, kek).create(3, { random, kek, escrowKey: undefined });
  const found = folder(files, otherKek, kek).find(3, made.id);
  assert.ok(found.kind === 'found' && bytesEqual(found.key, made.key));
  assert.equal(folder(files, kek).highestEpoch, 3);
  const path = `${DIR}/000000000003.key`;
  const why = (openers: KeyOpener[], epoch = 3, id = made.id): string => {
    const search = folder(files, ...openers).find(epoch, id);
    return search.kind === 'missing' ? search.why : 'found';
  };
  assert.equal(why([otherKek]), `${path} is wrapped to the key-encryption key ${hexOf(kek.id)}`);
  assert.match(why([kek], 4), /000000000004\.key is not there/);
  assert.match(why([kek], 3, new Uint8Array(8)), /holds another key than 0000000000000000/);
  files.replace(path, utf8('rubbish'));
  assert.equal(why([kek]), `${path} is damaged`);
});

test('any page of a key file may be lost, and no byte of both in one place', () => {
  const files = new SimFiles({ random });
  const { id } = folder(files, kek).create(1, { random, kek, escrowKey: operator().publicKey });
  const path = `${DIR}/000000000001.key`;
  const whole = files.read(path) as Uint8Array;
  for (const start of [0, 4096]) {
    files.replace(
      path,
      whole.map((byte, at) => (at >= start && at < start + 4096 ? 0 : byte)),
    );
    assert.equal(folder(files, kek).find(1, id).kind, 'found');
  }
  let lost = 0;
  for (let at = 0; at < 128; at++) {
    files.replace(
      path,
      whole.map((byte, i) => (i % 4096 === at ? byte ^ 4 : byte)),
    );
    if (folder(files, kek).find(1, id).kind === 'missing') lost += 1;
  }
  assert.ok(lost > 100, `${lost}`);
});

test("the operator's private key opens what the hub's lost key cannot", () => {
  const files = new SimFiles({ random });
  const { publicKey, pem } = operator();
  const made = folder(files, kek).create(1, { random, kek, escrowKey: publicKey });
  files.replace('/operator.pem', utf8(pem));
  const found = folder(files, readEscrowKey(files, '/operator.pem')).find(1, made.id);
  assert.ok(found.kind === 'found' && bytesEqual(found.key, made.key));
  files.replace('/stranger.pem', utf8(operator().pem));
  assert.equal(
    folder(files, readEscrowKey(files, '/stranger.pem')).find(1, made.id).kind,
    'missing',
  );
  files.replace('/none.pem', utf8('-----BEGIN PRIVATE KEY-----'));
  for (const path of ['/none.pem', '/absent.pem']) {
    assert.throws(() => readEscrowKey(files, path), { code: 'keys.damaged' });
  }
});

test('keys out of use are written over, removed, and do not come back after a power cut', () => {
  const files = new SimFiles({ random });
  const keys = folder(files, kek);
  const made = [1, 2, 3].map((epoch) => keys.create(epoch, { random, kek, escrowKey: undefined }));
  files.faults.failSyncs = new Set([files.syncs + 1]);
  keys.keepOnly((epoch) => epoch === 3);
  assert.deepEqual(files.list(DIR), ['000000000001.key', '000000000003.key'], 'one is tried again');
  keys.keepOnly((epoch) => epoch === 3);
  files.powerCut();
  assert.deepEqual(files.list(DIR), ['000000000003.key']);
  assert.equal(keys.find(3, made[2]?.id as Uint8Array).kind, 'found');
});

test('the key-encryption key: made once, at its first use, 0600 by its folder; the credential first, the file still known', () => {
  const files = new SimFiles({ random });
  const place = { files, path: KEK_PATH, credentialPath: '/run/credentials/hub-kek' };
  assert.deepEqual(findKeks(place), []);
  const [made] = openKeks(place, random);
  assert.deepEqual(findKeks(place), [], 'nobody has used it yet');
  const record = { epoch: 1, keyId: new Uint8Array(8) };
  for (let count = 0; count < 2; count++) made.wrap(record, new Uint8Array(32), random);
  assert.equal(hexOf(openKeks(place, random)[0].id), hexOf(made.id));
  files.makeDir('/run/credentials');
  files.replace(place.credentialPath, new Uint8Array(32).fill(9));
  const both = openKeks(place, random);
  assert.deepEqual(
    both.map(({ id }) => hexOf(id)),
    [hexOf(kekOf(new Uint8Array(32).fill(9)).id), hexOf(made.id)],
  );
  files.replace(place.credentialPath, utf8(`${'09'.repeat(32)}\n`));
  assert.equal(hexOf(openKeks(place, random)[0].id), hexOf(both[0].id), 'hex says the same');
  files.replace(KEK_PATH, utf8('too short'));
  assert.throws(() => openKeks(place, random), { code: 'keys.damaged' });
});

test('an escrow key that X25519 cannot agree with is no key', () => {
  assert.equal(x25519PublicKeyOf(Buffer.alloc(32).toString('base64')), undefined);
  assert.equal(x25519PublicKeyOf('abc'), undefined);
});
