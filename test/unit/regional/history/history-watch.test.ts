/** What a hub tells of its tree, compared with what the region knows of it. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import type { Manifest } from '../../../../src/batch/manifest.ts';
import { TileTree } from '../../../../src/ledger/tile-tree.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import {
  compareHistory,
  type HistoryOutcome,
} from '../../../../src/regional/history/history-watch.ts';

const LEAVES = [1, 2, 3].map((value) => new Uint8Array(32).fill(value));

/** The tree of a hub that has these leaves. */
function treeOf(leaves: readonly Uint8Array[]): TileTree {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('/tree');
  const tree = new TileTree(files, '/tree', undefined);
  for (const leaf of leaves) tree.append(leaf);
  return tree;
}

function compared(
  known: readonly Uint8Array[],
  sent: readonly Uint8Array[],
  size: number,
): Promise<HistoryOutcome> {
  const root = treeOf(LEAVES.slice(0, size)).root();
  const manifest = { tree: { size, root }, ops: sent.length } as unknown as Manifest;
  return compareHistory(treeOf(known), manifest, sent, () => Promise.resolve());
}

test('what goes on from what is known agrees, again as well; what leaves some out is a gap', async () => {
  assert.equal(await compared(LEAVES.slice(0, 1), LEAVES.slice(1), 3), 'agrees');
  assert.equal(await compared(LEAVES, LEAVES.slice(1), 3), 'agrees');
  assert.equal(await compared([], LEAVES.slice(1), 3), 'gap');
});

test('another leaf, another root, or a tree that is smaller than what is sent of it is a fork', async () => {
  assert.equal(await compared(LEAVES.toReversed(), LEAVES.slice(1), 3), 'forked');
  assert.equal(await compared([], LEAVES.toReversed(), 3), 'forked');
  assert.equal(await compared([], LEAVES, 2), 'forked');
});
