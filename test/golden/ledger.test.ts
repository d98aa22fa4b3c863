/** The ledger's files of format 1, as they were first written, and LEDGER.md's example. Never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { bytesOfHex, hexOf } from '../../src/base/bytes.ts';
import { Identity, verifyEd25519 } from '../../src/keys/identity.ts';
import { readLedgerState, writeLedgerState } from '../../src/ledger/ledger-state.ts';
import { leafHash } from '../../src/ledger/merkle.ts';
import { logName, signCheckpoint } from '../../src/ledger/note.ts';
import { encodeProof, verifyProof } from '../../src/ledger/proof-file.ts';
import { inclusionProof } from '../../src/ledger/proofs.ts';
import { TileTree } from '../../src/ledger/tile-tree.ts';
import { SimFiles } from '../../src/platform/sim/files.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';

const hub = Identity.fromSeed(new Uint8Array(32).fill(1));
/** The ops of BATCH.md §8. */
const OPS = [
  '884834750f98bd59fcfc030148019e704488010000830307' +
    '01006e6d65746572732f312f706f776572497b2277223a3130317d',
  '884834750f98bd59fcfc030248019e704488020000830307' +
    '02006e6d65746572732f322f706f776572497b2277223a3130327d',
].map((hex) => bytesOfHex(hex) as Uint8Array);

const golden = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');

function treeOfExample(): TileTree {
  const tree = new TileTree(new SimFiles({ random: new SeededRandom(1) }), '/t');
  for (const op of OPS) tree.append(leafHash(op));
  return tree;
}

test("the example's proof is what the code writes, what LEDGER.md shows, and proves", () => {
  const tree = treeOfExample();
  const name = logName(hub.id, 3);
  const checkpoint = signCheckpoint(name, { size: 2, root: tree.root() }, hub);
  const hashes = inclusionProof(tree.node, 1, 2);
  const text = encodeProof({ op: OPS[1] as Uint8Array, index: 1, hashes, checkpoint });
  assert.equal(text, golden('ledger-1.tlog-proof'));
  const document = readFileSync(join(import.meta.dirname, '../../src/ledger/LEDGER.md'), 'utf8');
  assert.equal(document.split('## 6. Example')[1]?.split('```')[1], `\n${text}`);
  const outcome = verifyProof(text, hub.publicKey, verifyEd25519);
  assert.ok(outcome.kind === 'proven' && outcome.op.seq === 2 && outcome.head.size === 2);
});

test('the state file reads back, and is written as it was', () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  const bytes = bytesOfHex(golden('ledger-1-state.hex').trim()) as Uint8Array;
  files.replace('/state', bytes);
  const read = readLedgerState(files, '/state');
  assert.ok(read.kind === 'state');
  assert.equal(read.state.throughLsn, 5);
  const open = read.state.trees.get(3);
  assert.deepEqual(open, treeOfExample().openTiles());
  assert.deepEqual([...read.state.cosigned], [[3, 'a note\n']]);
  writeLedgerState(files, '/again', read.state);
  assert.equal(hexOf(files.read('/again') as Uint8Array), hexOf(bytes));
});
