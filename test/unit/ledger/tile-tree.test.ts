import assert from 'node:assert/strict';

import { test } from 'vitest';

import { TILE_HASHES, TileTree } from '../../../src/ledger/tile-tree.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';

test('a file whose folder could not be synced has its name made durable by the next try', async () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('/ledger');
  files.syncDir('/');
  const tree = new TileTree(files, '/ledger/t');
  for (let at = 0; at < TILE_HASHES; at++) tree.append(new Uint8Array(32).fill(at));
  const root = tree.root();
  // Of the tile, which works, and of the folder.
  files.faults.failSyncs = new Set([files.syncs + 2]);
  await assert.rejects(tree.write(), { code: 'EIO' });
  const open = tree.openTiles();
  await tree.write();
  files.powerCut();
  assert.ok(files.exists('/ledger/t.0'));
  assert.deepEqual(new TileTree(files, '/ledger/t', open).root(), root);
});
