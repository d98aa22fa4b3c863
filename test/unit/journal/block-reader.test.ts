/** What a reader of blocks reads into. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { EMPTY_BYTES } from '../../../src/base/bytes.ts';
import { BlockReader, type ReusedChunk } from '../../../src/journal/block-reader.ts';

const MIB = 2 ** 20;

/** How many pieces of memory readers take that go through three files of a megabyte. */
function chunksOf(reused?: ReusedChunk): number {
  const chunks = new Set<ArrayBufferLike>();
  const readAt = (into: Uint8Array, offset: number): number => {
    chunks.add(into.buffer);
    return Math.min(into.length, MIB - offset);
  };
  for (let tag = 1; tag <= 3; tag++) {
    const reader = new BlockReader(readAt, tag, reused);
    for (let offset = 0; offset < MIB; offset += 1_000) reader.read(offset, MIB);
  }
  return chunks.size;
}

test('a chunk is read into again where it was given for that, also behind the end of a segment', () => {
  assert.equal(chunksOf({ bytes: EMPTY_BYTES }), 1);
  assert.ok(chunksOf() > 9);
});
