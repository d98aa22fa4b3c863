import assert from 'node:assert/strict';

import { test } from 'vitest';

import { hexOf, utf8 } from '../../../src/base/bytes.ts';
import { leafHash, nodeHash } from '../../../src/ledger/merkle.ts';
import { TreeHasher } from '../../../src/ledger/tree-hasher.ts';
import { treeRoot } from '../../support/made/tree-root.ts';
import { fromHex } from '../../support/made/hex.ts';

/** The definition of RFC 9162 §2.1.1, word for word. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leafHash(leaves[0] as Uint8Array);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(rootByDefinition(leaves.slice(0, split)), rootByDefinition(leaves.slice(split)));
}

test('roots of the Certificate Transparency test tree', () => {
  const leaves = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ].map((hex) => fromHex(hex));
  const roots = [
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ];
  const tree = new TreeHasher();
  for (const [index, leaf] of leaves.entries()) {
    tree.add(leaf);
    assert.equal(hexOf(tree.root()), roots[index]);
  }
  assert.equal(tree.size, 8);
});

test('the empty tree is the hash of nothing', () => {
  const hex = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  assert.equal(hexOf(treeRoot([])), hex);
});

test('any size agrees with the recursive definition', () => {
  const leaves = Array.from({ length: 70 }, (_, index) => utf8(`leaf ${index}`));
  for (let size = 1; size <= leaves.length; size++) {
    const some = leaves.slice(0, size);
    assert.deepEqual(Buffer.from(treeRoot(some)), Buffer.from(rootByDefinition(some)));
  }
});

test('so does a tree that has folded its leaves, at and around every seam', () => {
  const leaves = Array.from({ length: 1_300 }, (_, index) => utf8(`leaf ${index}`));
  const tree = new TreeHasher();
  for (const [index, leaf] of leaves.entries()) {
    tree.add(leaf);
    assert.deepEqual(tree.lastLeaf, leafHash(leaf));
    const size = index + 1;
    if (size % 256 > 2 && size % 256 < 254 && size % 97 !== 0) continue;
    assert.deepEqual(tree.root(), rootByDefinition(leaves.slice(0, size)), `${size} leaves`);
  }
  assert.equal(tree.size, 1_300);
});
