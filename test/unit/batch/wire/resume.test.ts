import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import { hexOf } from '../../../../src/base/bytes.ts';
import type { BatchId } from '../../../../src/batch/batch-id.ts';
import { ChunkBitmap, layoutOf } from '../../../../src/batch/wire/chunks.ts';
import {
  encodeResume,
  encodeResumed,
  parseResume,
  parseResumed,
  RESUMED_MAX,
} from '../../../../src/batch/wire/resume.ts';
import {
  chunkOf,
  encodeShortChunk,
  parseShortChunk,
  refOf,
} from '../../../../src/batch/wire/short-chunk.ts';
import { verifyEd25519 } from '../../../../src/keys/identity.ts';
import { HUB, HUB_ID, identityOf, REGION } from '../../../support/made/batches.ts';

const BATCH = '0123456789abcdef0123456789abcdef' as BatchId;
const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const EXPECTED = { hub: HUB_ID, nonce: NONCE, regionKey: REGION.publicKey };

function bitmapOf(total: number, there: readonly number[]): ChunkBitmap {
  const chunks = new ChunkBitmap(total);
  for (const index of there) chunks.add(index);
  return chunks;
}

test('a short chunk is the chunk of its batch, and nothing where a bit of it differs', () => {
  const layout = layoutOf(5_000, 1_500);
  const data = Uint8Array.from({ length: 1_250 }, (_, at) => at);
  const message = encodeShortChunk(BATCH, layout, 2, data);
  assert.equal(message.length, data.length + 12);
  const short = parseShortChunk(message);
  assert.ok(short !== undefined);
  assert.equal(short.ref, refOf(BATCH));
  const chunk = chunkOf(short, layout);
  assert.deepEqual([chunk?.index, chunk?.total, chunk?.data], [2, 4, data]);
  assert.equal(chunkOf(short, { batchBytes: 5_001 }), undefined, 'of a batch of another length');
  for (let at = 0; at < message.length; at += 7) {
    const damaged = message.slice();
    damaged[at] = (damaged[at] as number) ^ 4;
    assert.equal(parseShortChunk(damaged), undefined, `${at}`);
  }
  assert.equal(parseShortChunk(message.subarray(0, 12)), undefined, 'without data');
});

test('an answer tells which chunks are there, whichever those are', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), (isThere) => {
      const there = isThere.flatMap((is, index) => (is ? [index] : []));
      const found = [{ ref: refOf(BATCH), chunks: bitmapOf(isThere.length, there) }];
      const message = encodeResumed(HUB_ID, { nonce: NONCE, found }, REGION);
      const [read] = parseResumed(message, EXPECTED, verifyEd25519) ?? [];
      assert.equal(read?.ref, refOf(BATCH));
      assert.equal(
        hexOf(read.chunks?.toBytes() ?? NONCE),
        hexOf(found[0]?.chunks.toBytes() ?? NONCE),
      );
    }),
  );
});

test('of more holes than an answer tells, those behind are told as missing', () => {
  const even = Array.from({ length: 200 }, (_, index) => 2 * index);
  const found = [{ ref: refOf(BATCH), chunks: bitmapOf(400, even) }];
  const message = encodeResumed(HUB_ID, { nonce: NONCE, found }, REGION);
  const [read] = parseResumed(message, EXPECTED, verifyEd25519) ?? [];
  assert.ok(read?.chunks !== undefined && read.chunks.count > 20);
  assert.deepEqual(
    read.chunks.missing().filter((index) => index % 2 === 0 && index < 40),
    [],
  );
});

test('an answer counts under the key of the region, for this hub and nonce alone', () => {
  const message = encodeResumed(HUB_ID, { nonce: NONCE, found: [] }, REGION);
  assert.deepEqual(parseResumed(message, EXPECTED, verifyEd25519), []);
  const others = [
    { ...EXPECTED, hub: identityOf(7).id },
    { ...EXPECTED, nonce: NONCE.toReversed() },
    { ...EXPECTED, regionKey: HUB.publicKey },
  ];
  for (const other of others) assert.equal(parseResumed(message, other, verifyEd25519), undefined);
});

test('questions are for a few batches', () => {
  const batches = Array.from({ length: RESUMED_MAX }, (_, at) => `0123456${at}`);
  const resume = { nonce: NONCE, batches };
  assert.deepEqual(parseResume(encodeResume(resume)), resume);
  const many = { nonce: NONCE, batches: [...batches, '01234567'] };
  assert.equal(parseResume(encodeResume(many)), undefined);
});

test('noise is no question, no answer and no short chunk', () => {
  const signed = encodeResumed(HUB_ID, { nonce: NONCE, found: [] }, REGION);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(parseShortChunk(bytes), undefined);
      assert.equal(parseResumed(bytes, EXPECTED, verifyEd25519), undefined);
      const read = parseResume(bytes);
      if (read !== undefined) assert.deepEqual(encodeResume(read), bytes);
      assert.equal(
        parseResumed(signed.subarray(0, bytes.length % 64), EXPECTED, verifyEd25519),
        undefined,
      );
    }),
  );
});
