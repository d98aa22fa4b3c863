import assert from 'node:assert/strict';
import { brotliCompressSync, constants } from 'node:zlib';

import { test } from 'vitest';

import { batchIdOf } from '../../../src/batch/batch-id.ts';
import {
  compressionFor,
  inlineCompressor,
  KNOWN_COMPRESSIONS,
  threadedCompressor,
} from '../../../src/batch/compression.ts';
import { BATCH_OPS_MAX, DEFAULT_SEAL_LIMITS, RAW_BYTES_MAX } from '../../../src/batch/limits.ts';
import { type Manifest, MANIFEST_TYPE, signManifest } from '../../../src/batch/manifest.ts';
import {
  type BatchOutcome,
  openBatch,
  readOwnBatch,
  splitBatch,
} from '../../../src/batch/open-batch.ts';
import { BatchBuilder } from '../../../src/batch/seal-batch.ts';
import { CborWriter, encodeCbor } from '../../../src/codec/writer.ts';
import { parseCose, signCose } from '../../../src/codec/cose.ts';
import { originOfPublicKey, sha256 } from '../../../src/hashes.ts';
import { BULK } from '../../../src/model/class.ts';
import { type StampedOp, writeStamp } from '../../../src/model/op.ts';
import { bytesOfOrigin } from '../../../src/model/origin.ts';
import {
  batchOf,
  expecting,
  HUB,
  HUB_ID,
  identityOf,
  OPENING,
  REGION,
  SITE,
  stampedOp,
  stampedOps,
  START_MS,
} from '../../support/made/batches.ts';
import { treeRoot } from '../../support/made/tree-root.ts';
import { encodeColumns } from '../../support/made/columns.ts';

/** Node has it from 22.15 on. */
const HAS_ZSTD = KNOWN_COMPRESSIONS.includes('zstd');

function open(bytes: Uint8Array, expected: Parameters<typeof openBatch>[1]): Promise<BatchOutcome> {
  return openBatch(bytes, expected, OPENING);
}

function payloadOf(ops: readonly StampedOp[]): Uint8Array {
  const writer = new CborWriter().array(ops.length);
  for (const { bytes, stamp } of ops) writeStamp(writer.array(2).raw(bytes), stamp);
  return writer.finish();
}

/** A batch that the hub did sign, whatever it says. */
async function openForged(
  payload: Uint8Array,
  changes: Partial<Manifest> = {},
): Promise<BatchOutcome> {
  const ops = stampedOps(1, 3);
  const manifest: Manifest = {
    hub: HUB_ID,
    site: SITE,
    class: 3,
    previous: undefined,
    fromLsn: 1,
    throughLsn: 3,
    oldestMs: START_MS,
    newestMs: START_MS,
    ranges: [{ origin: HUB_ID, class: 3, from: 1, to: 3 }],
    ops: 3,
    root: treeRoot(ops.map((op) => op.bytes)),
    payloadSha256: sha256(payload),
    payloadBytes: payload.length,
    rawBytes: payload.length,
    compression: 'none',
    encoding: 'rows',
    createdMs: START_MS,
    quality: 'ntp',
    ...changes,
  };
  const manifestBytes = signManifest(manifest, HUB);
  const bytes = encodeCbor([manifestBytes, payload]);
  const id = batchIdOf(manifestBytes);
  return open(bytes, { id, site: SITE, hub: HUB_ID, publicKey: HUB.publicKey });
}

function reasonOf(outcome: BatchOutcome): string {
  return outcome.kind === 'batch' ? 'batch' : `${outcome.kind}: ${outcome.reason}`;
}

test('a sealed batch opens to the very ops, in order', async () => {
  const ops = [...stampedOps(1, 40), stampedOp(9, { origin: originOfPublicKey(REGION.publicKey) })];
  const batch = await batchOf(ops);
  const outcome = await open(batch.bytes, expecting(batch));
  assert.ok(outcome.kind === 'batch', reasonOf(outcome));
  assert.deepEqual(
    outcome.entries.map((entry) => Buffer.from(entry.bytes)),
    ops.map((op) => Buffer.from(op.bytes)),
  );
  assert.deepEqual(
    outcome.entries.map((entry) => entry.stamp),
    ops.map((op) => op.stamp),
  );
  assert.equal(outcome.manifest.ops, 41);
  assert.equal(outcome.manifest.compression, 'brotli');
  assert.deepEqual(readOwnBatch(batch.bytes)?.manifest, batch.manifest);
});

test('both compressors make and read the same bytes', async () => {
  const raw = payloadOf(stampedOps(1, 100));
  const compressed = await threadedCompressor.compress(raw);
  assert.deepEqual(Buffer.from(await inlineCompressor.compress(raw)), Buffer.from(compressed));
  for (const compressor of [threadedCompressor, inlineCompressor]) {
    const back = await compressor.decompress(compressed, raw.length);
    assert.deepEqual(Buffer.from(back as Uint8Array), Buffer.from(raw));
    assert.equal(await compressor.decompress(compressed, raw.length - 1), undefined);
    assert.equal(await compressor.decompress(compressed, raw.length + 1), undefined);
    assert.equal(await compressor.decompress(Uint8Array.of(1, 2, 3), 10), undefined);
  }
});

test('what a receiver reads decides how bytes are compressed', () => {
  assert.equal(compressionFor(['none']), 'none');
  assert.equal(compressionFor(['none', 'brotli', 'zstd']), 'brotli');
  assert.equal(compressionFor(['none', 'zstd']), HAS_ZSTD ? 'zstd' : 'none');
});

test.runIf(HAS_ZSTD)('zstd is written and read where Node has it', async () => {
  const ops = stampedOps(1, 400);
  const batch = await batchOf(ops, {}, HUB, 'rows', 'zstd');
  assert.equal(batch.manifest.compression, 'zstd');
  const outcome = await open(batch.bytes, expecting(batch));
  assert.ok(outcome.kind === 'batch', reasonOf(outcome));
  assert.equal(outcome.entries.length, ops.length);
  const raw = payloadOf(ops);
  for (const compressor of [threadedCompressor, inlineCompressor]) {
    const compressed = await compressor.compress(raw, 'zstd');
    const back = await compressor.decompress(compressed, raw.length, 'zstd');
    assert.deepEqual(Buffer.from(back as Uint8Array), Buffer.from(raw));
    assert.equal(await compressor.decompress(compressed, raw.length - 1, 'zstd'), undefined);
    assert.equal(await compressor.decompress(compressed, raw.length + 1, 'zstd'), undefined);
    assert.equal(await compressor.decompress(Uint8Array.of(1, 2, 3), 10, 'zstd'), undefined);
  }
});

test.runIf(!HAS_ZSTD)('zstd is refused by name where Node has none', async () => {
  const outcome = await openForged(payloadOf(stampedOps(1, 3)), { compression: 'zstd' });
  assert.equal(reasonOf(outcome), 'refused: unknown compression');
});

test('no flipped byte gets through', async () => {
  const batch = await batchOf(stampedOps(1, 5));
  for (let at = 0; at < batch.bytes.length; at++) {
    const bytes = batch.bytes.slice();
    bytes[at] = (bytes[at] as number) ^ 0x41;
    const outcome = await open(bytes, expecting(batch));
    assert.equal(outcome.kind, 'damaged', `byte ${at}: ${reasonOf(outcome)}`);
  }
});

test('no cut batch gets through', async () => {
  const batch = await batchOf(stampedOps(1, 5));
  for (let length = 0; length < batch.bytes.length; length++) {
    const outcome = await open(batch.bytes.slice(0, length), expecting(batch));
    assert.equal(reasonOf(outcome), 'damaged: not a batch');
  }
});

test('another hub, another key, another id: damaged, for the signature proves nothing', async () => {
  const batch = await batchOf(stampedOps(1, 3));
  const other = identityOf(9);
  const otherKey = { ...expecting(batch), publicKey: other.publicKey };
  assert.equal(reasonOf(await open(batch.bytes, otherKey)), 'damaged: wrong signature');
  const otherHub = { ...expecting(batch), hub: originOfPublicKey(other.publicKey) };
  assert.equal(reasonOf(await open(batch.bytes, otherHub)), 'damaged: wrong signature');
  const otherBatch = { ...expecting(batch), id: (await batchOf(stampedOps(1, 4))).id };
  assert.equal(reasonOf(await open(batch.bytes, otherBatch)), 'damaged: another batch id');
});

test('what the hub signed and still cannot be taken is refused, with the reason', async () => {
  const ops = stampedOps(1, 3);
  const payload = payloadOf(ops);
  const foreign = stampedOp(2, { origin: HUB_ID }, originOfPublicKey(REGION.publicKey));
  const ranges = (from: number, to: number): Partial<Manifest> => ({
    ranges: [{ origin: HUB_ID, class: 3, from, to }],
  });
  const cases: [string, Uint8Array, Partial<Manifest>][] = [
    ['batch', payload, {}],
    ['refused: wrong site', payload, { site: 'elsewhere' }],
    ['damaged: wrong signature', payload, { hub: originOfPublicKey(REGION.publicKey) }],
    ['refused: malformed manifest', payload, { fromLsn: 4 }],
    ['refused: too many ops', payload, { ops: BATCH_OPS_MAX + 1 }],
    ['refused: too large', payload, { rawBytes: RAW_BYTES_MAX + 1 }],
    ['refused: malformed payload', payload, { rawBytes: payload.length - 1 }],
    ['refused: malformed payload', payload, { compression: 'brotli' }],
    ['refused: malformed payload', Uint8Array.of(...payload, 0), {}],
    ['refused: malformed payload', payload.subarray(0, payload.length - 1), {}],
    ['refused: malformed payload', Uint8Array.of(0x83, 0x82, 0, 0, 0, 0), {}],
    ['refused: ops differ from ranges', payload, ranges(1, 4)],
    ['refused: ops differ from ranges', payload, ranges(2, 4)],
    ['refused: ops differ from ranges', payloadOf([...ops, ...ops]), {}],
    ['refused: ops differ from ranges', payloadOf([ops[0], ops[1], ops[1]] as StampedOp[]), {}],
    ['refused: another class', payloadOf(stampedOps(1, 3, { class: BULK })), {}],
    ['refused: foreign stamp', payloadOf([ops[0], foreign, ops[2]] as StampedOp[]), {}],
    ['refused: wrong root', payload, { root: new Uint8Array(32) }],
    ['damaged: wrong payload length', payload, { payloadBytes: payload.length + 1 }],
    ['damaged: wrong payload hash', payload, { payloadSha256: new Uint8Array(32) }],
  ];
  for (const [expected, bytes, changes] of cases) {
    const outcome = await openForged(bytes, changes);
    assert.equal(reasonOf(outcome), expected);
  }
});

test('columns of other ops, cut short, or followed by more are refused', async () => {
  const columns = (ops: readonly StampedOp[]): Uint8Array => encodeColumns(ops);
  const ops = stampedOps(1, 3);
  const cases: [string, Uint8Array][] = [
    ['batch', columns(ops)],
    ['refused: malformed payload', columns(ops).subarray(0, -1)],
    ['refused: malformed payload', Uint8Array.of(...columns(ops), 0)],
    ['refused: malformed payload', payloadOf(ops)],
    ['refused: ops differ from ranges', columns(stampedOps(1, 4))],
    ['refused: ops differ from ranges', columns(stampedOps(2, 4))],
    ['refused: wrong root', columns([ops[1], ops[0], ops[2]] as StampedOp[])],
    ['refused: another class', columns(stampedOps(1, 3, { class: BULK }))],
  ];
  for (const [expected, bytes] of cases) {
    assert.equal(reasonOf(await openForged(bytes, { encoding: 'columns' })), expected);
  }
});

test('sealing and opening many ops give other work its turn', async () => {
  const builder = new BatchBuilder(3, DEFAULT_SEAL_LIMITS, 'columns');
  for (const op of stampedOps(1, 5_000)) builder.add(op);
  let turns = 0;
  const pause = (): Promise<void> => {
    turns += 1;
    return Promise.resolve();
  };
  const stretch = { previous: undefined, fromLsn: 1, throughLsn: 5_000 };
  const context = { site: SITE, ...stretch, createdMs: START_MS, quality: 'ntp' as const };
  const batch = await builder.seal(context, { signer: HUB, compressor: inlineCompressor, pause });
  assert.ok(turns >= 10, `${turns} turns while sealing`);
  turns = 0;
  const outcome = await openBatch(batch.bytes, expecting(batch), { ...OPENING, pause });
  assert.equal(reasonOf(outcome), 'batch');
  assert.ok(turns >= 30, `${turns} turns while opening`);
});

test('a decompression bomb stops at the promised length', async () => {
  const bomb = brotliCompressSync(new Uint8Array(16 << 20), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 1 },
  });
  const outcome = await openForged(bomb, { compression: 'brotli', rawBytes: 1_000 });
  assert.equal(reasonOf(outcome), 'refused: malformed payload');
});

test('a manifest that names another hub than its signer is refused', async () => {
  const other = await batchOf(stampedOps(1, 2), {}, REGION);
  const parts = splitBatch(other.bytes);
  assert.ok(parts);
  const header = { contentType: MANIFEST_TYPE, keyId: bytesOfOrigin(HUB_ID) };
  const { payload } = parseCose(parts.manifestBytes);
  const manifestBytes = signCose(payload, header, (message) => HUB.sign(message));
  const expected = { ...expecting(other), id: batchIdOf(manifestBytes) };
  const outcome = await open(encodeCbor([manifestBytes, parts.payload]), expected);
  assert.equal(reasonOf(outcome), 'refused: wrong hub');
});

test('a compression and an encoding that this version does not know are refused by name', async () => {
  const batch = await batchOf(stampedOps(1, 3), {}, HUB, 'rows');
  const parts = splitBatch(batch.bytes);
  assert.ok(parts !== undefined);
  const { payload: manifest } = parseCose(parts.manifestBytes);
  // `compression` and `encoding` stand before `created`, an array of 2 (BATCH.md §3).
  const createdAt = manifest.lastIndexOf(0x82);
  for (const [at, reason] of [
    [createdAt - 2, 'refused: unknown compression'],
    [createdAt - 1, 'refused: unknown encoding'],
  ] as const) {
    const later = manifest.slice();
    later[at] = 3;
    const header = { contentType: MANIFEST_TYPE, keyId: bytesOfOrigin(HUB_ID) };
    const manifestBytes = signCose(later, header, (message) => HUB.sign(message));
    const id = batchIdOf(manifestBytes);
    const expected = { id, site: SITE, hub: HUB_ID, publicKey: HUB.publicKey };
    const bytes = encodeCbor([manifestBytes, parts.payload]);
    assert.equal(reasonOf(await open(bytes, expected)), reason);
  }
});

test('a later format is refused as such, and nonsense that is signed as malformed', async () => {
  const sealed = (payload: Uint8Array): Promise<BatchOutcome> => {
    const header = {
      contentType: MANIFEST_TYPE,
      keyId: bytesOfOrigin(HUB_ID),
    };
    const manifestBytes = signCose(payload, header, (message) => HUB.sign(message));
    const id = batchIdOf(manifestBytes);
    const expected = { id, site: SITE, hub: HUB_ID, publicKey: HUB.publicKey };
    return open(encodeCbor([manifestBytes, new Uint8Array()]), expected);
  };
  assert.equal(reasonOf(await sealed(encodeCbor([5, 'whatever']))), 'refused: newer format');
  assert.equal(reasonOf(await sealed(encodeCbor([1, 'short']))), 'refused: malformed manifest');
  assert.equal(reasonOf(await sealed(encodeCbor([4, 'short']))), 'refused: malformed manifest');
  assert.equal(reasonOf(await sealed(encodeCbor([2, 'short']))), 'refused: malformed manifest');
  assert.equal(reasonOf(await sealed(encodeCbor('text'))), 'refused: malformed manifest');
});

test('the builder ends a batch at its limits, takes one oversized op, and knows doubles', () => {
  const byOps = new BatchBuilder(3, { opsMax: 2, opBytesMax: 1 << 20 }, 'columns');
  const added = [1, 2, 2, 3].map((seq) => byOps.add(stampedOp(seq)));
  assert.deepEqual(added, ['added', 'added', 'full', 'full']);
  const doubles = new BatchBuilder(3, { opsMax: 9, opBytesMax: 1 << 20 }, 'columns');
  assert.deepEqual(
    [2, 1, 2].map((seq) => doubles.add(stampedOp(seq))),
    ['added', 'added', 'double'],
  );
  const byBytes = new BatchBuilder(3, { opsMax: 9, opBytesMax: 100 }, 'columns');
  assert.equal(byBytes.add(stampedOp(1, { body: new Uint8Array(5_000) })), 'added');
  assert.equal(byBytes.add(stampedOp(2)), 'full');
});
