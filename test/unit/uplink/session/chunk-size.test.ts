import assert from 'node:assert/strict';

import { test } from 'vitest';

import type { BatchId } from '../../../../src/batch/batch-id.ts';
import { ChunkBitmap } from '../../../../src/batch/wire/chunks.ts';
import { CHUNK_DATA_BYTES_MAX } from '../../../../src/batch/limits.ts';
import { CHUNK_BYTES_MIN, ChunkSize } from '../../../../src/uplink/session/chunk-size.ts';

const BATCH = '0123456789abcdef0123456789abcdef' as BatchId;

/** Sessions that each carry so many bytes, rounded down to whole chunks, and are cut. */
function afterCuts(bytesBetween: number, cuts: number): ChunkSize {
  const size = new ChunkSize();
  let arrived = 0;
  for (let i = 0; i < cuts; i++) {
    arrived += Math.floor(bytesBetween / size.bytes('full')) * size.bytes('full');
    size.ended(true);
    size.arrived(BATCH, arrived);
  }
  return size;
}

test('chunks are as large as can be on a link that holds', () => {
  const size = new ChunkSize();
  for (let i = 1; i <= 5; i++) {
    assert.equal(size.bytes('full'), CHUNK_DATA_BYTES_MAX);
    size.arrived(BATCH, 10_000 * i);
    size.ended(false);
  }
});

test('one cut before the first chunk got through makes them small enough for the next', () => {
  const bytes = afterCuts(20_000, 1).bytes('full');
  assert.ok(bytes <= 4_096 && bytes >= 1_024, `${bytes}`);
});

test('they settle at sqrt(2 · overhead · bytes between cuts), and never below the least', () => {
  const near = (bytes: number, best: number): void =>
    assert.ok(Math.abs(bytes - best) <= 512, `${bytes}`);
  near(afterCuts(20_000, 30).bytes('full'), 2_341);
  near(afterCuts(20_000, 30).bytes('short'), 1_549);
  near(afterCuts(20_000, 30).bytes('brief'), 1_166);
  near(afterCuts(500_000, 30).bytes('full'), 11_705);
  assert.equal(afterCuts(100, 30).bytes('full'), CHUNK_BYTES_MIN);
});

test('what is told twice counts once', () => {
  const size = afterCuts(20_000, 30);
  const before = size.bytes('full');
  for (let i = 0; i < 100; i++) size.arrived(BATCH, 30 * 20_000);
  assert.ok(size.bytes('full') - before <= 512, `${before} to ${size.bytes('full')}`);
});

test('they grow again once the link holds', () => {
  const size = afterCuts(20_000, 30);
  for (let i = 1; i <= 30; i++) {
    size.arrived(BATCH, 30 * 20_000 + (i << 20));
    size.ended(false);
  }
  assert.equal(size.bytes('full'), CHUNK_DATA_BYTES_MAX);
});

test('large chunks are given up where cuts tear them more than once, and kept where they mostly get through', () => {
  const some = new ChunkBitmap(32);
  some.add(0);
  assert.ok(!afterCuts(20_000, 10).isWorthGoingOn(2 << 20, some));
  for (let index = 1; index < 16; index++) some.add(index);
  assert.ok(afterCuts(1 << 20, 1).isWorthGoingOn(2 << 20, some));
  assert.ok(new ChunkSize().isWorthGoingOn(2 << 20, some));
  assert.ok(!new ChunkSize().isWorthGoingOn(2 << 20, new ChunkBitmap(32)), 'nothing to keep');
});
