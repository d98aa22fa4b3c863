/** What a reader of blocks reads into. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { BlockReader } from '../../../src/journal/block-reader.ts';

const MIB = 2 ** 20;

/** How many pieces of memory a reader takes that goes through a file of a megabyte. */
function chunksOf(readsAgain: boolean): number {
  const chunks = new Set<ArrayBufferLike>();
  const readAt = (into: Uint8Array, offset: number): number => {
    chunks.add(into.buffer);
    return Math.min(into.length, MIB - offset);
  };
  const reader = new BlockReader(readAt, 1, readsAgain);
  for (let offset = 0; offset < MIB; offset += 1_000) reader.read(offset, MIB);
  return chunks.size;
}

test('who holds no payload has one chunk read into again and again; who may, has his own ones', () => {
  assert.equal(chunksOf(true), 1);
  assert.ok(chunksOf(false) > 3);
});
