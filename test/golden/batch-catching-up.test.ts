/** A manifest of format 4, which tells leaves that the region lacks, as first written. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { bytesOfHex, hexOf } from '../../src/base/bytes.ts';
import { firstLeafOf, type Manifest, parseManifest, signManifest } from '../../src/batch/manifest.ts';
import { parseCose } from '../../src/codec/cose.ts';
import { HUB, HUB_ID } from '../support/made/batches.ts';

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'batch-4.json'), 'utf8'),
) as Readonly<Record<'manifest' | 'sealed', string>>;

const manifest: Manifest = {
  hub: HUB_ID,
  site: 'demo',
  class: 5,
  previous: undefined,
  fromLsn: 1,
  throughLsn: 9,
  oldestMs: 1_780_000_000_001,
  newestMs: 1_780_000_000_002,
  ranges: [{ origin: HUB_ID, class: 5, from: 4, to: 5 }],
  ops: 2,
  root: new Uint8Array(32).fill(7),
  payloadSha256: new Uint8Array(32).fill(8),
  payloadBytes: 100,
  rawBytes: 147,
  compression: 'brotli',
  encoding: 'columns',
  createdMs: 1_780_000_000_000,
  quality: 'ntp',
  tree: { size: 6, root: new Uint8Array(32).fill(9) },
  skipped: Uint8Array.from({ length: 96 }, (_, at) => at),
};
const sealed: Manifest = {
  ...manifest,
  sealedTo: new Uint8Array(8).fill(3),
  jurisdiction: 'KE',
};

test.each([
  ['alone', manifest, golden.manifest],
  ['with key and jurisdiction', sealed, golden.sealed],
])('leaves that the region lacks, %s', (_how, wanted, text) => {
  assert.equal(hexOf(signManifest(wanted, HUB)), text);
  const read = parseManifest(parseCose(bytesOfHex(text) as Uint8Array));
  assert.deepEqual(read, { kind: 'manifest', manifest: wanted });
  assert.equal(firstLeafOf(wanted), 1);
});

test.each([
  ['none', { ...manifest, skipped: new Uint8Array(0) }],
  ['half of one', { ...manifest, skipped: new Uint8Array(48) }],
  ['too many', { ...manifest, skipped: new Uint8Array(32 * 8_193) }],
])('%s is malformed', (_what, wrong) => {
  const read = parseManifest(parseCose(signManifest(wrong, HUB)));
  assert.deepEqual(read, { kind: 'malformed', reason: read.kind === 'malformed' && read.reason });
  assert.match(read.reason, /malformed leaves/);
});
