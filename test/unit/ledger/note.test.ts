/** Checkpoints, cosignatures and proof files, in the public formats. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { Identity, verifyEd25519 } from '../../../src/keys/identity.ts';
import { leafHash } from '../../../src/ledger/merkle.ts';
import {
  checkpointBody,
  cosign,
  cosignatureLine,
  cosignedAtS,
  isSignedBy,
  logName,
  parseCheckpoint,
  signCheckpoint,
  verifierKey,
  witnessName,
} from '../../../src/ledger/note.ts';
import { encodeProof, parseProof, verifyProof } from '../../../src/ledger/proof-file.ts';
import { inclusionProof } from '../../../src/ledger/proofs.ts';
import { TileTree } from '../../../src/ledger/tile-tree.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { stampedOp } from '../../support/made/ops.ts';

const hub = Identity.fromSeed(new Uint8Array(32).fill(1));
const other = Identity.fromSeed(new Uint8Array(32).fill(2));
const name = logName(hub.id, 3);
const root = leafHash(utf8('x'));

test('names, key hashes and signatures are as other tools make them', () => {
  // The example in the documentation of golang.org/x/mod/sumdb/note.
  const key = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
  const body =
    'If you think cryptography is the answer to your problem,\n' +
    "then you don't know what your problem is.\n";
  const line =
    'x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=';
  const publicKey = new Uint8Array(Buffer.from(key.split('+')[2] ?? '', 'base64')).subarray(1);
  assert.equal(verifierKey('PeterNeumann', publicKey), key);
  const bytes = Buffer.from(line, 'base64');
  assert.equal(bytes.subarray(0, 4).toString('hex'), 'c74f20a3');
  assert.equal(verifyEd25519(publicKey, utf8(body), bytes.subarray(4)), true);
});

test('a checkpoint says log, size and root, and is believed with the key of that log only', () => {
  const text = signCheckpoint(name, { size: 1_000_000, root }, hub);
  const parsed = parseCheckpoint(text);
  assert.ok(parsed !== undefined);
  assert.deepEqual([parsed.origin, parsed.size, parsed.root], [name, 1_000_000, root]);
  assert.equal(isSignedBy(parsed, hub.publicKey, verifyEd25519), true);
  assert.equal(isSignedBy(parsed, other.publicKey, verifyEd25519), false);
  for (const [from, to] of [
    ['1000000', '1000001'],
    ['telemetry', 'alarm'],
  ] as const) {
    const changed = parseCheckpoint(text.replaceAll(from, to));
    assert.ok(changed !== undefined && !isSignedBy(changed, hub.publicKey, verifyEd25519));
  }
  for (const broken of [
    '',
    text.slice(0, -1),
    text.replace('\n\n', '\n'),
    text.replace('1000000', '01000000'),
    text.replace('— ', '- '),
    text.replace('=\n\n', '\n\n'),
  ]) {
    assert.equal(parseCheckpoint(broken), undefined, broken);
  }
});

test("a witness's line is over the same text and its time", () => {
  const body = checkpointBody(name, { size: 7, root });
  const bytes = cosign(body, 1_800_000_000, other);
  assert.equal(cosignedAtS(body, bytes, other.publicKey, verifyEd25519), 1_800_000_000);
  assert.equal(cosignedAtS(body, bytes, hub.publicKey, verifyEd25519), undefined);
  const later = bytes.map((byte, at) => (at === 7 ? byte + 1 : byte));
  assert.equal(cosignedAtS(body, later, other.publicKey, verifyEd25519), undefined);
  const line = cosignatureLine(witnessName(other.id), other.publicKey, bytes);
  const text = signCheckpoint(name, { size: 7, root }, hub) + line;
  const parsed = parseCheckpoint(text);
  assert.deepEqual(
    parsed?.signatures.map((signature) => signature.name),
    [name, `heliograph/${other.id}/witness`],
  );
  assert.ok(parsed !== undefined && isSignedBy(parsed, hub.publicKey, verifyEd25519));
});

function proofOfOne(count: number, index: number): { text: string; bytes: Uint8Array } {
  const tree = new TileTree(new SimFiles({ random: new SeededRandom(1) }), '/t');
  const ops = Array.from({ length: count }, (_, at) => stampedOp({ seq: at + 1 }).bytes);
  for (const op of ops) tree.append(leafHash(op));
  const bytes = ops[index] as Uint8Array;
  const hashes = inclusionProof(tree.node, index, count);
  const checkpoint = signCheckpoint(name, { size: count, root: tree.root() }, hub);
  return { bytes, text: encodeProof({ op: bytes, index, hashes, checkpoint }) };
}

test('a proof file proves its op with the key alone, and nothing when anything in it is changed', () => {
  const { text, bytes } = proofOfOne(300, 123);
  const outcome = verifyProof(text, hub.publicKey, verifyEd25519);
  assert.ok(outcome.kind === 'proven');
  assert.deepEqual([outcome.index, outcome.op.seq, outcome.head.size], [123, 124, 300]);
  assert.deepEqual(parseProof(text)?.op, bytes);
  assert.equal(verifyProof(text, other.publicKey, verifyEd25519).kind, 'wrong');
  for (let at = 0; at < text.length; at += 3) {
    const changed = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
    assert.equal(verifyProof(changed, hub.publicKey, verifyEd25519).kind, 'wrong', `at ${at}`);
  }
  for (const rubbish of ['', 'c2sp.org/tlog-proof@v1\n\n', text.slice(0, 400)]) {
    assert.equal(verifyProof(rubbish, hub.publicKey, verifyEd25519).kind, 'wrong');
  }
});
