/** Laws of the ledger's trees: tiles give the roots and proofs that RFC 9162 defines, and wrong proofs prove nothing. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { bytesEqual, concatBytes } from '../../src/base/bytes.ts';
import { EMPTY_ROOT, leafHash, nodeHash } from '../../src/ledger/merkle.ts';
import {
  consistencyProof,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
} from '../../src/ledger/proofs.ts';
import { TileTree } from '../../src/ledger/tile-tree.ts';
import { SimFiles } from '../../src/platform/sim/files.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';

const LEAVES_MAX = 70_000;
const leaves = Array.from({ length: LEAVES_MAX }, (_, i) =>
  leafHash(Uint8Array.of(i >> 16, i >> 8, i)),
);

/** MTH, PATH and SUBPROOF of RFC 9162 §2.1, word for word. */
function mth(start: number, end: number): Uint8Array {
  if (end === start) return EMPTY_ROOT;
  if (end - start === 1) return leaves[start] as Uint8Array;
  const k = split(end - start);
  return nodeHash(mth(start, start + k), mth(start + k, end));
}

function path(m: number, start: number, end: number): Uint8Array[] {
  if (end - start === 1) return [];
  const k = split(end - start);
  return m < k
    ? [...path(m, start, start + k), mth(start + k, end)]
    : [...path(m - k, start + k, end), mth(start, start + k)];
}

function subproof(m: number, start: number, end: number, whole: boolean): Uint8Array[] {
  if (m === end - start) return whole ? [] : [mth(start, end)];
  const k = split(end - start);
  return m <= k
    ? [...subproof(m, start, start + k, whole), mth(start + k, end)]
    : [...subproof(m - k, start + k, end, false), mth(start, start + k)];
}

/** The largest power of two below n. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

function treeOf(size: number): TileTree {
  const files = new SimFiles({ random: new SeededRandom(1) });
  const tree = new TileTree(files, '/t');
  for (const leaf of leaves.slice(0, size)) tree.append(leaf);
  return tree;
}

const large = treeOf(LEAVES_MAX);
/** Small sizes, those around a tile and a level, and any. */
const size = fc.oneof(
  fc.integer({ min: 1, max: 600 }),
  fc.constantFrom(255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, LEAVES_MAX),
  fc.integer({ min: 1, max: LEAVES_MAX }),
);
const place = size.chain((n) => fc.record({ n: fc.constant(n), m: fc.nat({ max: n - 1 }) }));

test('roots of every size are those of the definition, from a tree that has long grown on', () => {
  assert.deepEqual(treeOf(0).root(), EMPTY_ROOT);
  for (let n = 1; n <= 600; n++) assert.ok(bytesEqual(large.root(n), mth(0, n)), `${n}`);
  fc.assert(
    fc.property(size, (n) => bytesEqual(large.root(n), mth(0, n))),
    { numRuns: 20 },
  );
});

test('inclusion proofs are those of the definition, and prove this leaf at this place only', () => {
  fc.assert(
    fc.property(place, fc.nat(), ({ n, m }, dice) => {
      const proof = inclusionProof(large.node, m, n);
      assert.deepEqual(proof, path(m, 0, n));
      const root = large.root(n);
      const leaf = leaves[m] as Uint8Array;
      assert.ok(verifyInclusion(leaf, m, n, proof, root));
      const other = leaves[(m + 1) % LEAVES_MAX] as Uint8Array;
      assert.ok(!verifyInclusion(other, m, n, proof, root), 'another leaf');
      assert.ok(n === 1 || !verifyInclusion(leaf, (m + 1) % n, n, proof, root), 'another place');
      assert.ok(!verifyInclusion(leaf, n, n, proof, root), 'no place');
      assert.ok(!verifyInclusion(leaf, m, n, [...proof, leaf], root), 'one hash more');
      if (proof.length === 0) return;
      assert.ok(!verifyInclusion(leaf, m, n, proof.slice(1), root), 'one hash less');
      const hit = dice % proof.length;
      const changed = proof.map((hash, at) => (at === hit ? hash.map((byte) => byte ^ 1) : hash));
      assert.ok(!verifyInclusion(leaf, m, n, changed, root), 'a changed hash');
    }),
    { numRuns: 25 },
  );
});

test('consistency proofs are those of the definition, and prove growth only', () => {
  fc.assert(
    fc.property(place, ({ n, m }) => {
      const old = { size: m + 1, root: large.root(m + 1) };
      const grown = { size: n, root: large.root(n) };
      const proof = consistencyProof(large.node, old.size, n);
      assert.deepEqual(proof, subproof(old.size, 0, n, true));
      assert.ok(verifyConsistency(old, grown, proof));
      const rewritten = { size: old.size, root: nodeHash(old.root, old.root) };
      assert.ok(!verifyConsistency(rewritten, grown, proof), 'another past');
      assert.ok(!verifyConsistency(old, { size: n, root: EMPTY_ROOT }, proof), 'another present');
      assert.ok(!verifyConsistency(old, grown, [...proof, old.root]), 'one hash more');
      assert.ok(proof.length === 0 || !verifyConsistency(old, grown, proof.slice(1)), 'one less');
    }),
    { numRuns: 25 },
  );
});

test('nothing grows out of nothing, and what has not grown needs no proof', () => {
  const grown = { size: 8, root: large.root(8) };
  assert.ok(!verifyConsistency({ size: 0, root: EMPTY_ROOT }, grown, []));
  const one = { size: 1, root: large.root(1) };
  assert.ok(!verifyConsistency({ ...one, size: 0 }, one, [one.root]));
  assert.ok(verifyConsistency(grown, grown, []));
  assert.ok(!verifyConsistency(grown, grown, [grown.root]));
});

test('a tree that was written and read again anywhere grows on as if nothing had happened', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 700 }), { maxLength: 5 }), async (stretches) => {
      const files = new SimFiles({ random: new SeededRandom(1) });
      files.makeDir('/ledger');
      let tree = new TileTree(files, '/ledger/t');
      for (const stretch of stretches) {
        for (let i = 0; i < stretch; i++) tree.append(leaves[tree.size] as Uint8Array);
        const open = tree.openTiles();
        await tree.write();
        tree = new TileTree(files, '/ledger/t', open);
      }
      assert.equal(
        tree.size,
        stretches.reduce((sum, stretch) => sum + stretch, 0),
      );
      assert.deepEqual(tree.root(), mth(0, tree.size));
      for (let index = 0; index < tree.size; index += 97) {
        for (const near of [index, 0, tree.size, 3 * tree.size]) {
          assert.equal(tree.find(leaves[index] as Uint8Array, near), index);
        }
      }
    }),
    { numRuns: 20 },
  );
});

test('a tree that grows while its tiles are being written loses none, and fills those that were written anew', async () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('/ledger');
  const tree = new TileTree(files, '/ledger/t');
  const holdsAll = (it: TileTree): void => {
    assert.deepEqual(it.root(), mth(0, tree.size));
    for (let at = 0; at < Math.floor(tree.size / 256); at++) {
      assert.deepEqual(it.tile(0, at, 256), concatBytes(leaves.slice(256 * at, 256 * (at + 1))));
    }
  };
  for (let round = 1; round <= 3; round++) {
    for (let i = 0; i < 600; i++) tree.append(leaves[tree.size] as Uint8Array);
    const writing = tree.write();
    for (let i = 0; i < 600; i++) tree.append(leaves[tree.size] as Uint8Array);
    holdsAll(tree);
    await writing;
    holdsAll(tree);
  }
  const open = tree.openTiles();
  await tree.write();
  holdsAll(new TileTree(files, '/ledger/t', open));
});

test('tiles are what a client of tlog-tiles expects: hashes of their level, full or in parts', () => {
  assert.deepEqual(large.tile(0, 3, 256), concatBytes(leaves.slice(768, 1024)));
  assert.deepEqual(large.tile(0, 273, 112)?.length, 112 * 32);
  assert.equal(large.tile(0, 273, 113), undefined);
  assert.deepEqual(large.tile(1, 0, 1), mth(0, 256));
  assert.deepEqual(large.tile(2, 0, 1), mth(0, 65_536));
  assert.equal(large.tile(2, 0, 2), undefined);
  assert.equal(large.tile(3, 0, 1), undefined);
});
