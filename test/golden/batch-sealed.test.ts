/** A batch of format 3, encrypted to an operator's key and under a jurisdiction, as first written. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { bytesOfHex, hexOf } from '../../src/base/bytes.ts';
import type { BatchId } from '../../src/batch/batch-id.ts';
import { openBatch } from '../../src/batch/open-batch.ts';
import { encodeDownHello, encodeHello } from '../../src/batch/wire/messages.ts';
import { batchOpener } from '../../src/keys/batch-seal.ts';
import { HUB, HUB_ID, OPENING, REGION, SITE } from '../support/made/batches.ts';

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'batch-3.json'), 'utf8'),
) as Readonly<
  Record<'id' | 'batch' | 'privateKey' | 'keyId' | 'hello' | 'downHello', string> & {
    ops: readonly string[];
  }
>;

const greeting = {
  nonce: new Uint8Array(8).fill(9),
  software: '0.1.0',
  formats: [1, 2, 3],
  compressions: ['none', 'brotli'],
  encodings: ['rows', 'columns'],
} as const;

test('the batch opens with the key, and says whose law it is under', async () => {
  const bytes = bytesOfHex(golden.batch) as Uint8Array;
  const expected = { id: golden.id as BatchId, site: SITE, hub: HUB_ID, publicKey: HUB.publicKey };
  const opener = batchOpener(golden.privateKey, 'golden');
  const outcome = await openBatch(bytes, expected, { ...OPENING, opener });
  assert.ok(outcome.kind === 'batch');
  assert.equal(outcome.manifest.jurisdiction, 'KE');
  assert.equal(hexOf(outcome.manifest.sealedTo ?? new Uint8Array()), golden.keyId);
  assert.deepEqual(
    outcome.entries.map((entry) => hexOf(entry.bytes)),
    golden.ops,
  );
});

test('the greetings that tell key and jurisdiction', () => {
  const sealedTo = bytesOfHex(golden.keyId) as Uint8Array;
  const hello = { ...greeting, site: SITE, spooled: [], sealedTo, jurisdiction: 'KE' };
  assert.equal(hexOf(encodeHello(hello, HUB)), golden.hello);
  const answer = { ...greeting, hub: HUB_ID, opens: [sealedTo], jurisdictions: ['KE', ''] };
  assert.equal(hexOf(encodeDownHello(answer, REGION)), golden.downHello);
});
