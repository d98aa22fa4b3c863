/** That a history goes on from an earlier checkpoint: what the file says, and what it does not prove. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { Identity, verifyEd25519 } from '../../../src/keys/identity.ts';
import { leafHash } from '../../../src/ledger/merkle.ts';
import { logName, signCheckpoint } from '../../../src/ledger/note.ts';
import { encodeProof } from '../../../src/ledger/proof-file.ts';
import { consistencyProof, inclusionProof } from '../../../src/ledger/proofs.ts';
import { encodeSince, verifySince } from '../../../src/ledger/since-file.ts';
import { TileTree } from '../../../src/ledger/tile-tree.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';

const hub = Identity.fromSeed(new Uint8Array(32).fill(1));
const other = Identity.fromSeed(new Uint8Array(32).fill(2));
const name = logName(hub.id, 3);

function treeOf(leaves: readonly string[]): TileTree {
  const tree = new TileTree(new SimFiles({ random: new SeededRandom(1) }), '/t');
  for (const leaf of leaves) tree.append(leafHash(utf8(leaf)));
  return tree;
}

const LEAVES = Array.from({ length: 20 }, (_, index) => `leaf ${index}`);
const tree = treeOf(LEAVES);
const rewritten = treeOf(LEAVES.map((leaf) => (leaf === 'leaf 3' ? 'another' : leaf)));

const note = (size: number, of = tree, log = name, signer = hub): string =>
  signCheckpoint(log, { size, root: of.root(size) }, signer);

function since(oldSize: number, size: number, of = tree, checkpoint = note(size, of)): string {
  const hashes = oldSize === 0 ? [] : consistencyProof(of.node, oldSize, size);
  return encodeSince({ oldSize, hashes, checkpoint });
}

function why(text: string, earlier: string): string | undefined {
  const outcome = verifySince(text, earlier, hub.publicKey, verifyEd25519);
  return outcome.kind === 'wrong' ? outcome.why : undefined;
}

test('any later checkpoint goes on from any earlier one, also from the empty one and from itself', () => {
  for (let size = 0; size <= LEAVES.length; size++) {
    for (let old = 0; old <= size; old++) {
      assert.equal(why(since(old, size), note(old)), undefined, `${old} to ${size}`);
    }
  }
});

test('the file is what a witness is asked with', () => {
  const lines = since(6, 7).split('\n');
  assert.equal(lines[0], 'old 6');
  assert.deepEqual(lines.slice(lines.indexOf('') + 1), note(7).split('\n'));
});

test('the earlier checkpoint may be the one in a proof of either kind', () => {
  const hashes = inclusionProof(tree.node, 2, 9);
  const ofOp = encodeProof({ op: utf8('leaf 2'), index: 2, hashes, checkpoint: note(9) });
  for (const earlier of [ofOp, since(4, 9)]) assert.equal(why(since(9, 15), earlier), undefined);
});

test('a history that was rewritten does not go on from what it had signed', () => {
  assert.match(why(since(6, 20, rewritten), note(6)) ?? '', /^20 ops do not begin with the 6 /);
  assert.match(why(since(6, 6, rewritten), note(6)) ?? '', /^6 ops do not begin with the 6 /);
  assert.match(why(since(6, 20, tree, note(20, rewritten)), note(6)) ?? '', /do not begin with/);
  // Behind the place that was changed both are one history.
  assert.equal(why(since(3, 20, rewritten), note(3)), undefined);
});

test('whose history it is, and who has signed it, counts on both sides', () => {
  assert.match(
    why(since(6, 20, tree, note(20, tree, name, other)), note(6)) ?? '',
    /^this key did not sign its checkpoint$/,
  );
  assert.match(why(since(6, 20), note(6, tree, name, other)) ?? '', /sign the earlier checkpoint$/);
  const alarms = logName(hub.id, 0);
  assert.match(why(since(6, 20), note(6, tree, alarms)) ?? '', /alarm is not .*telemetry$/);
  assert.match(why(since(7, 20), note(6)) ?? '', /^it goes on from 7 ops, .* has 6$/);
});

test('other texts prove nothing', () => {
  const good = since(6, 20);
  for (const text of [
    '',
    note(20),
    good.replace('old 6', 'old 06'),
    good.replace('old 6\n', 'old 6\nAAAA\n'),
    good.replace('\n\n', '\n'),
    `old 6\n${'A'.repeat(43)}=\n`.repeat(400),
  ]) {
    assert.match(why(text, note(6)) ?? '', /^it is not the proof of a history$/, text.slice(0, 60));
  }
  assert.match(why(good, 'nothing') ?? '', /^the earlier checkpoint cannot be read$/);
  for (const at of [1, 2, 3]) {
    const lines = good.split('\n');
    const left = [...lines.slice(0, at), ...lines.slice(at + 1)].join('\n');
    assert.match(why(left, note(6)) ?? '', /do not begin with/, `without line ${at}`);
  }
});
