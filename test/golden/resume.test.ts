/** Short chunks, and what is asked and answered after a cut (BATCH.md §4, §5.1), byte for byte. The file is never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { test } from 'vitest';

import { bytesOfHex, hexOf } from '../../src/base/bytes.ts';
import type { BatchId } from '../../src/batch/batch-id.ts';
import { ChunkBitmap } from '../../src/batch/wire/chunks.ts';
import {
  encodeResume,
  encodeResumed,
  parseResume,
  parseResumed,
} from '../../src/batch/wire/resume.ts';
import { encodeShortChunk, parseShortChunk } from '../../src/batch/wire/short-chunk.ts';
import { verifyEd25519 } from '../../src/keys/identity.ts';
import { HUB_ID, REGION } from '../support/made/batches.ts';

const golden = JSON.parse(
  readFileSync(new URL('resume-1.json', import.meta.url), 'utf8'),
) as Record<'shortChunk' | 'resume' | 'resumed', string>;
const BATCH = '005fcc7832c94351a1a38b886e36ee52' as BatchId;
const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

test('a short chunk: batch, count, index, checksum, data', () => {
  const layout = { total: 3, batchBytes: 9 };
  const data = Uint8Array.of(4, 5, 6);
  assert.equal(hexOf(encodeShortChunk(BATCH, layout, 1, data)), golden.shortChunk);
  const read = parseShortChunk(bytesOfHex(golden.shortChunk) as Uint8Array);
  assert.deepEqual(read, { ref: '005fcc78', total: 3, index: 1, data });
});

test('a question and its answer: of five chunks the first two and the fourth are there, of another batch nothing', () => {
  const resume = { nonce: NONCE, batches: ['005fcc78', 'ffffffff'] };
  assert.equal(hexOf(encodeResume(resume)), golden.resume);
  assert.deepEqual(parseResume(bytesOfHex(golden.resume) as Uint8Array), resume);
  const chunks = new ChunkBitmap(5);
  for (const index of [0, 1, 3]) chunks.add(index);
  const found = [
    { ref: '005fcc78', chunks },
    { ref: 'ffffffff', chunks: undefined },
  ];
  const expected = { hub: HUB_ID, nonce: NONCE, regionKey: REGION.publicKey };
  assert.equal(hexOf(encodeResumed(HUB_ID, { nonce: NONCE, found }, REGION)), golden.resumed);
  const bytes = bytesOfHex(golden.resumed) as Uint8Array;
  assert.deepEqual(parseResumed(bytes, expected, verifyEd25519), found);
});
