/** Four nodes at a time, or one after the other: the hashes are those of node:crypto. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import fc from 'fast-check';
import { test } from 'vitest';

import { type Fold, foldHashes, foldSlowly } from '../../../../src/ledger/lanes/node-lanes.ts';

const TILE = 256;

/** By the definition, with the plain hash. */
const foldByDefinition: Fold = (hashes, first, count) => {
  if (count === 1) return hashes.slice(32 * first, 32 * first + 32);
  const half = count / 2;
  const hash = createHash('sha256').update(Uint8Array.of(1));
  hash.update(foldByDefinition(hashes, first, half));
  return new Uint8Array(hash.update(foldByDefinition(hashes, first + half, half)).digest());
};

test('any row of hashes folds to the same, wherever it begins', () => {
  const rows = fc.uint8Array({ minLength: TILE * 32, maxLength: TILE * 32 });
  fc.assert(
    fc.property(rows, fc.nat({ max: 8 }), fc.nat({ max: TILE }), (hashes, power, place) => {
      const count = 2 ** power;
      const first = Math.floor((place * (TILE - count)) / TILE);
      const expected = foldByDefinition(hashes, first, count);
      assert.deepEqual(foldHashes(hashes, first, count), expected);
      assert.deepEqual(foldSlowly(hashes, first, count), expected);
    }),
    { numRuns: 60 },
  );
});

test('bits that are all ones or all zeros', () => {
  for (const byte of [0x00, 0x80, 0xff]) {
    const hashes = new Uint8Array(TILE * 32).fill(byte);
    assert.deepEqual(foldHashes(hashes, 0, TILE), foldByDefinition(hashes, 0, TILE));
  }
});

test('what was folded before leaves no trace, and the row stays as it is', () => {
  const [one, two] = [new Uint8Array(TILE * 32).fill(1), new Uint8Array(TILE * 32).fill(2)];
  const alone = foldHashes(two, 0, 16);
  foldHashes(one, 0, TILE);
  assert.deepEqual(foldHashes(two, 0, 16), alone);
  assert.ok(two.every((byte) => byte === 2));
});
