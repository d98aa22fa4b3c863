/** Manifest and receipt of format 2, which carry the hub's tree and the region's word on it, as first written. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { bytesOfHex, hexOf } from '../../src/base/bytes.ts';
import { batchIdOf } from '../../src/batch/batch-id.ts';
import { type Manifest, parseManifest, signManifest } from '../../src/batch/manifest.ts';
import { encodeReceipt, parseReceipt, type Receipt } from '../../src/batch/wire/receipt.ts';
import { parseCose } from '../../src/codec/cose.ts';
import { verifyEd25519 } from '../../src/keys/identity.ts';
import { checkpointBody, cosign, cosignedAtS, logName } from '../../src/ledger/note.ts';
import { HUB, HUB_ID, REGION } from '../support/made/batches.ts';

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'batch-2.json'), 'utf8'),
) as Readonly<Record<'manifest' | 'receipt', string>>;

const ranges = [{ origin: HUB_ID, class: 3, from: 1, to: 2 }] as const;
const tree = { size: 2, root: new Uint8Array(32).fill(7) };
const manifest: Manifest = {
  hub: HUB_ID,
  site: 'demo',
  class: 3,
  previous: undefined,
  fromLsn: 1,
  throughLsn: 5,
  oldestMs: 1_780_000_000_001,
  newestMs: 1_780_000_000_002,
  ranges,
  ops: 2,
  root: tree.root,
  payloadSha256: new Uint8Array(32).fill(8),
  payloadBytes: 100,
  rawBytes: 147,
  compression: 'brotli',
  encoding: 'columns',
  createdMs: 1_780_000_000_000,
  quality: 'ntp',
  tree,
};

test('a manifest that tells the tree', () => {
  const bytes = signManifest(manifest, HUB);
  assert.equal(hexOf(bytes), golden.manifest);
  const read = parseManifest(parseCose(bytesOfHex(golden.manifest) as Uint8Array));
  assert.deepEqual(read, { kind: 'manifest', manifest });
});

test("a receipt with the region's cosignature", () => {
  const body = checkpointBody(logName(HUB_ID, 3), tree);
  const receipt: Receipt = {
    hub: HUB_ID,
    batch: batchIdOf(bytesOfHex(golden.manifest) as Uint8Array),
    outcome: 'stored',
    reason: undefined,
    class: 3,
    ranges,
    ops: 2,
    root: tree.root,
    awaits: undefined,
    atMs: 1_780_000_000_500,
    quality: 'ntp',
    witnessed: { ...tree, cosignature: cosign(body, 1_780_000_000, REGION) },
  };
  assert.equal(hexOf(encodeReceipt(receipt, REGION)), golden.receipt);
  const bytes = bytesOfHex(golden.receipt) as Uint8Array;
  const read = parseReceipt(bytes, REGION.publicKey, verifyEd25519);
  assert.deepEqual(read, receipt);
  const { cosignature } = read?.witnessed ?? assert.fail('witnessed');
  assert.equal(cosignedAtS(body, cosignature, REGION.publicKey, verifyEd25519), 1_780_000_000);
});
