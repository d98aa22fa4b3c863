import assert from 'node:assert/strict';

import { test } from 'vitest';

import { type BatchOutcome, openBatch, splitBatch } from '../../../src/batch/open-batch.ts';
import { batchIdOf } from '../../../src/batch/batch-id.ts';
import { inlineCompressor } from '../../../src/batch/compression.ts';
import { DEFAULT_SEAL_LIMITS } from '../../../src/batch/limits.ts';
import { parseManifest, signManifest } from '../../../src/batch/manifest.ts';
import { BatchBuilder, type SealedBatch } from '../../../src/batch/seal-batch.ts';
import { parseCose } from '../../../src/codec/cose.ts';
import { CborWriter } from '../../../src/codec/writer.ts';
import { sha256 } from '../../../src/hashes.ts';
import { batchOpener, batchSealer, makeOperatorKey } from '../../../src/keys/batch-seal.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import {
  expecting,
  HUB,
  noPause,
  OPENING,
  SITE,
  stampedOps,
  START_MS,
} from '../../support/made/batches.ts';

const random = new SeededRandom(3);
const key = makeOperatorKey(random);
const opener = batchOpener(key.privatePem, 'test');
const OPS = stampedOps(1, 400);

function sealedBatch(fromLsn = 1): Promise<SealedBatch> {
  const builder = new BatchBuilder(TELEMETRY, DEFAULT_SEAL_LIMITS, 'columns');
  for (const op of OPS) builder.add(op);
  const context = { site: SITE, previous: undefined, fromLsn, throughLsn: 900 };
  const tools = { signer: HUB, compressor: inlineCompressor, pause: noPause };
  const sealer = batchSealer(key.publicKey, random);
  return builder.seal({ ...context, createdMs: START_MS, quality: 'ntp' }, { ...tools, sealer });
}

function open(batch: SealedBatch, bytes = batch.bytes, held = opener): Promise<BatchOutcome> {
  return openBatch(bytes, expecting(batch), { ...OPENING, opener: held });
}

test('what was encrypted comes back op for op', async () => {
  const batch = await sealedBatch();
  const outcome = await open(batch);
  assert.ok(outcome.kind === 'batch');
  assert.deepEqual(
    outcome.entries.map(({ bytes }) => bytes),
    OPS.map(({ bytes }) => bytes),
  );
});

test('each batch has a key of its own: the same ops never look alike', async () => {
  const [a, b] = [await sealedBatch(), await sealedBatch()];
  const head = ({ bytes }: SealedBatch): string =>
    Buffer.from((splitBatch(bytes) ?? assert.fail()).payload.subarray(0, 32)).toString('hex');
  assert.notEqual(head(a), head(b));
});

test('without the key it is refused by name, not by accident', async () => {
  const batch = await sealedBatch();
  const stranger = batchOpener(makeOperatorKey(random).privatePem, 'test');
  assert.deepEqual(
    [
      await open(batch, batch.bytes, stranger),
      await openBatch(batch.bytes, expecting(batch), OPENING),
    ].map((outcome) => outcome.kind === 'refused' && outcome.reason),
    ['unknown key', 'unknown key'],
  );
});

test('a payload under another manifest does not open, even where its hub signs that', async () => {
  const batch = await sealedBatch();
  const { payload, manifestBytes } = splitBatch(batch.bytes) ?? assert.fail();
  const read = parseManifest(parseCose(manifestBytes));
  assert.ok(read.kind === 'manifest');
  const moved = signManifest({ ...read.manifest, fromLsn: 2 }, HUB);
  const bytes = new CborWriter().array(2).bytes(moved).bytes(payload).finish();
  const outcome = await openBatch(
    bytes,
    { ...expecting(batch), id: batchIdOf(moved) },
    { ...OPENING, opener },
  );
  assert.equal(outcome.kind === 'refused' && outcome.reason, 'wrong seal');
});

test('a changed byte is damage; one that the hub signs is a wrong seal', async () => {
  const batch = await sealedBatch();
  const { payload, manifestBytes } = splitBatch(batch.bytes) ?? assert.fail();
  const changed = payload.slice();
  changed[40] = (changed[40] as number) ^ 1;
  const broken = new CborWriter().array(2).bytes(manifestBytes).bytes(changed).finish();
  assert.equal((await open(batch, broken)).kind, 'damaged');
  const read = parseManifest(parseCose(manifestBytes));
  assert.ok(read.kind === 'manifest');
  const signed = signManifest({ ...read.manifest, payloadSha256: sha256(changed) }, HUB);
  const bytes = new CborWriter().array(2).bytes(signed).bytes(changed).finish();
  const outcome = await openBatch(
    bytes,
    { ...expecting(batch), id: batchIdOf(signed) },
    { ...OPENING, opener },
  );
  assert.equal(outcome.kind === 'refused' && outcome.reason, 'wrong seal');
});

test('a file of keys is read as a whole or not at all', () => {
  const other = makeOperatorKey(random);
  const both = batchOpener(`${key.privatePem}${other.privatePem}`, 'f');
  assert.equal(both.keyIds.length, 2);
  const ed25519 =
    '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAEB\n-----END PRIVATE KEY-----\n';
  assert.throws(() => batchOpener(`${key.privatePem}${ed25519}`, 'f'), { code: 'keys.damaged' });
  assert.throws(() => batchOpener('', 'f'), { code: 'keys.damaged' });
  assert.throws(() => batchSealer('AAAA', random), { code: 'config.invalid' });
});
