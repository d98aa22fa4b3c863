/** What shares a chunk: readings of one hour and one day, as far as they fit; and how deep a payload is looked into. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import {
  CHUNK_SPAN_MS_MAX,
  ChunkWriter,
  DAY_MS,
  readChunk,
} from '../../../../src/store/readings/reading-chunk.ts';
import { numbersIn } from '../../../../src/store/readings/summary.ts';

const NOON_MS = 20_000 * DAY_MS + DAY_MS / 2;
const ONE = utf8('1');

function begunAt(firstMs: number): ChunkWriter {
  const writer = new ChunkWriter();
  writer.add(firstMs, ONE, 0, 1);
  return writer;
}

test('a chunk spans an hour at most, and never two days', () => {
  const noon = begunAt(NOON_MS);
  assert.ok(noon.hasRoom(NOON_MS + CHUNK_SPAN_MS_MAX, 1));
  assert.ok(!noon.hasRoom(NOON_MS + CHUNK_SPAN_MS_MAX + 1, 1));
  const midnightMs = 20_000 * DAY_MS;
  const late = begunAt(midnightMs - 1000);
  assert.ok(late.hasRoom(midnightMs - 1, 1));
  assert.ok(!late.hasRoom(midnightMs, 1));
});

test('a payload larger than a chunk has one of its own', () => {
  const large = new Uint8Array(40_000).fill(7);
  assert.ok(!begunAt(NOON_MS).hasRoom(NOON_MS, large.length));
  const writer = new ChunkWriter();
  assert.ok(writer.hasRoom(NOON_MS, large.length));
  writer.add(NOON_MS, large, 0, large.length);
  assert.deepEqual(readChunk(writer.take(true)), [{ atMs: NOON_MS, payload: large }]);
  assert.ok(writer.isEmpty);
});

test('numbers are found three objects deep, and not in arrays', () => {
  const payload = utf8('{"a":{"b":{"c":1,"d":{"e":2}}},"list":[3],"f":4}');
  assert.deepEqual(
    [...numbersIn(payload)],
    [
      ['a.b.c', 1],
      ['f', 4],
    ],
  );
});
