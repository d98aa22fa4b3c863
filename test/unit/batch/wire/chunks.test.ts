import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import {
  ChunkBitmap,
  type ChunkLayout,
  chunkSpan,
  encodeChunk,
  isLayout,
  layoutOf,
  parseChunk,
} from '../../../../src/batch/wire/chunks.ts';
import {
  BATCH_BYTES_MAX,
  CHUNK_DATA_BYTES_MAX,
  CHUNK_MESSAGE_BYTES_MAX,
  CHUNKS_MAX,
} from '../../../../src/batch/limits.ts';
import { encodeCbor } from '../../../../src/codec/writer.ts';

function batchBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => at * 7);
}

function chunkOf(batch: Uint8Array, layout: ChunkLayout, index: number): Uint8Array {
  const span = chunkSpan(layout, index);
  return encodeChunk(batch.subarray(span.from, span.to), layout, index);
}

test('chunks of any size put together are the batch', () => {
  const sizes = fc.record({
    length: fc.integer({ min: 1, max: 3_000 }),
    chunk: fc.integer({ min: 3, max: 700 }),
  });
  fc.assert(
    fc.property(sizes, ({ length, chunk }) => {
      const batch = batchBytes(length);
      const layout = layoutOf(length, chunk);
      assert.ok(isLayout(layout));
      const whole = new Uint8Array(length);
      for (let index = 0; index < layout.total; index++) {
        const outcome = parseChunk(chunkOf(batch, layout, index));
        assert.ok(outcome.kind === 'chunk');
        assert.ok(outcome.chunk.data.length > 0 && outcome.chunk.data.length <= chunk);
        whole.set(outcome.chunk.data, chunkSpan(layout, index).from);
      }
      assert.deepEqual(whole, batch);
    }),
  );
});

test('the largest chunk message fits its limit', () => {
  const batch = new Uint8Array(2 * CHUNK_DATA_BYTES_MAX);
  const message = chunkOf(batch, layoutOf(batch.length), 1);
  assert.ok(message.length <= CHUNK_MESSAGE_BYTES_MAX);
  assert.equal(parseChunk(message).kind, 'chunk');
  assert.ok(isLayout(layoutOf(BATCH_BYTES_MAX)));
});

test('damaged and impossible chunks are refused, with the reason', () => {
  const batch = batchBytes(1_000);
  const layout = layoutOf(1_000, 300);
  const good = chunkOf(batch, layout, 2);
  for (let at = 0; at < good.length; at++) {
    const damaged = good.slice();
    damaged[at] = (damaged[at] as number) ^ 0x20;
    assert.equal(parseChunk(damaged).kind, 'invalid', `byte ${at}`);
  }
  const hash = new Uint8Array(32);
  const data = new Uint8Array(10);
  for (const message of [
    encodeCbor([4, 4, 1_000, hash, data]),
    encodeCbor([0, 0, 1_000, hash, data]),
    encodeCbor([0, 6, 10, hash, new Uint8Array(2)]),
    encodeCbor([0, CHUNKS_MAX + 1, 1 << 20, hash, data]),
    encodeCbor([0, 1, BATCH_BYTES_MAX + 1, hash, data]),
    encodeCbor([0, 1, 10, hash, data]),
    encodeCbor([0, 1, 10, hash]),
    encodeCbor('chunk'),
    new Uint8Array(CHUNK_MESSAGE_BYTES_MAX + 1),
    new Uint8Array(0),
  ]) {
    assert.equal(parseChunk(message).kind, 'invalid');
  }
});

test('a bitmap travels as bytes, the first chunk in the highest bit', () => {
  const bitmap = new ChunkBitmap(11);
  for (const index of [0, 8, 8, 10]) bitmap.add(index);
  assert.deepEqual(bitmap.toBytes(), Uint8Array.of(0b1000_0000, 0b1010_0000));
  assert.equal(bitmap.count, 3);
  assert.equal(bitmap.isFull, false);
  const again = ChunkBitmap.fromBytes(11, bitmap.toBytes());
  assert.deepEqual(
    [...Array(11).keys()].filter((index) => again?.has(index)),
    [0, 8, 10],
  );
  assert.equal(ChunkBitmap.fromBytes(11, Uint8Array.of(0, 0b0001_0000)), undefined);
  assert.equal(ChunkBitmap.fromBytes(11, Uint8Array.of(0)), undefined);
  assert.equal(ChunkBitmap.fromBytes(CHUNKS_MAX + 1, new Uint8Array(513)), undefined);
});
