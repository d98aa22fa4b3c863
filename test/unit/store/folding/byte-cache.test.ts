/** What was seen before is found by its bytes, and memory stays within its limits whatever topics are chosen. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { concatBytes, utf8 } from '../../../../src/base/bytes.ts';
import { ByteCache } from '../../../../src/store/folding/byte-cache.ts';

/** Its FNV-1a is 0, and stays 0 with any number of zeros behind it. */
const ZERO_HASH = Uint8Array.of(0xcc, 0x24, 0x31, 0xc4);

/** Keys of one hash, each at a place of its own among other bytes. */
function alike(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, n) => concatBytes([ZERO_HASH, new Uint8Array(n)]));
}

function found(cache: ByteCache<number>, keys: readonly Uint8Array[]): (number | undefined)[] {
  return keys.map((key) => cache.find(key, 0, key.length));
}

function add(cache: ByteCache<number>, keys: readonly Uint8Array[]): void {
  for (const [at, key] of keys.entries()) cache.add(key, 0, key.length, at);
}

test('a piece of an entry is found wherever it lies', () => {
  const cache = new ByteCache<string>(10);
  cache.add(utf8('..meters/1..'), 2, 10, 'one');
  assert.equal(cache.find(utf8('meters/1'), 0, 8), 'one');
  assert.equal(cache.find(utf8('.....meters/1'), 5, 13), 'one');
  assert.equal(cache.find(utf8('meters/2'), 0, 8), undefined);
  assert.equal(cache.find(utf8('meters/1'), 0, 7), undefined);
});

test('of one hash only the newest eight are kept, and they count as eight', () => {
  const cache = new ByteCache<number>(10);
  const keys = alike(12);
  add(cache, keys);
  assert.deepEqual(found(cache, keys.slice(0, 4)), Array(4).fill(undefined));
  assert.deepEqual(found(cache, keys.slice(4)), [4, 5, 6, 7, 8, 9, 10, 11]);
});

test('a full one forgets all, also what was found last', () => {
  const cache = new ByteCache<number>(3);
  const keys = ['a', 'b', 'c', 'd'].map((text) => utf8(text));
  add(cache, keys.slice(0, 3));
  assert.deepEqual(found(cache, keys), [0, 1, 2, undefined]);
  add(cache, keys.slice(3));
  assert.deepEqual(found(cache, [...keys.slice(0, 3).toReversed(), keys[3] as Uint8Array]), [
    undefined,
    undefined,
    undefined,
    0,
  ]);
});
