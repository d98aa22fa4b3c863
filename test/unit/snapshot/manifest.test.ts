/** A signature says who has signed, the content type what: what was signed as something else is no manifest. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { concatBytes } from '../../../src/base/bytes.ts';
import { parseCose, signCose } from '../../../src/codec/cose.ts';
import { CborError } from '../../../src/codec/reader.ts';
import { Identity } from '../../../src/keys/identity.ts';
import { laneOf, originOfBytes } from '../../../src/model/origin.ts';
import {
  readManifest,
  signManifest,
  type SnapshotManifest,
} from '../../../src/snapshot/manifest.ts';
import { DEVICE_A } from '../../support/made/ops.ts';

const SIGNER = Identity.fromSeed(new Uint8Array(32).fill(1));
const MANIFEST: SnapshotManifest = {
  hub: SIGNER.id,
  publicKey: SIGNER.publicKey,
  lsn: 17,
  vector: new Map([[laneOf(DEVICE_A, 2), 5]]),
  horizon: new Map(),
  digest: new Uint8Array(32).fill(2),
  items: 3,
  bytes: 400,
  sha256: new Uint8Array(32).fill(3),
  createdMs: 1_000,
  quality: 'ntp',
};

test('what was signed as a manifest is read as it was written', () => {
  assert.deepEqual(readManifest(parseCose(signManifest(MANIFEST, SIGNER))), MANIFEST);
});

test('the same bytes, signed by the same hub as something else, are refused', () => {
  const { payload, keyId } = parseCose(signManifest(MANIFEST, SIGNER));
  assert.equal(originOfBytes(keyId), SIGNER.id);
  const header = { contentType: 'application/vnd.heliograph.batch+cbor', keyId };
  const other = parseCose(signCose(payload, header, (bytes) => SIGNER.sign(bytes)));
  assert.throws(() => readManifest(other), CborError);
});

test('bytes behind the last field are refused, whoever has signed them', () => {
  const { payload, keyId, contentType } = parseCose(signManifest(MANIFEST, SIGNER));
  const longer = concatBytes([payload, Uint8Array.of(0)]);
  const signed = signCose(longer, { contentType, keyId }, (bytes) => SIGNER.sign(bytes));
  assert.throws(() => readManifest(parseCose(signed)), CborError);
});
