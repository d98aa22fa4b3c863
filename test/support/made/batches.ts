/** Ops, batches and identities for the tests of batch, uplink and regional. */
import { hexOf, utf8 } from '../../../src/base/bytes.ts';
import { type Compression, inlineCompressor } from '../../../src/batch/compression.ts';
import { DEFAULT_SEAL_LIMITS } from '../../../src/batch/limits.ts';
import type { ExpectedBatch, OpenTools } from '../../../src/batch/open-batch.ts';
import type { Encoding } from '../../../src/batch/payload.ts';
import { BatchBuilder, type SealContext, type SealedBatch } from '../../../src/batch/seal-batch.ts';
import { originOfPublicKey } from '../../../src/hashes.ts';
import { Identity, verifyEd25519 } from '../../../src/keys/identity.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { encodeOp, EVENT, type Op, type StampedOp } from '../../../src/model/op.ts';
import type { Origin } from '../../../src/model/origin.ts';

/** The identity of a seed: `identityOf(1)` is the same key in every test and every run. */
export function identityOf(seed: number): Identity {
  return Identity.fromSeed(new Uint8Array(32).fill(seed));
}

export const HUB = identityOf(1);
export const HUB_ID = originOfPublicKey(HUB.publicKey);
export const REGION = identityOf(2);
export const SITE = 'demo';
export const START_MS = 1_780_000_000_000;

export const noPause = (): Promise<void> => Promise.resolve();
export const OPENING: OpenTools = {
  verify: verifyEd25519,
  compressor: inlineCompressor,
  pause: noPause,
};

/** An event of the hub's own lane, accepted by it, unless said otherwise. */
export function stampedOp(seq: number, parts: Partial<Op> = {}, hub: Origin = HUB_ID): StampedOp {
  const op: Op = {
    origin: hub,
    class: TELEMETRY,
    seq,
    hlc: { ms: START_MS + seq, counter: 0 },
    clock: { quality: 'ntp', bootId: 7, monotonicMs: seq },
    kind: EVENT,
    key: `meters/${seq % 3}/power`,
    body: utf8(`{"w":${100 + (seq % 40)}}`),
    ...parts,
  };
  const stamp = { hub, hlc: { ms: START_MS + seq, counter: 1 }, authority: 1, rosterEpoch: 0 };
  return { bytes: encodeOp(op), op, stamp };
}

export function stampedOps(from: number, to: number, parts: Partial<Op> = {}): StampedOp[] {
  return Array.from({ length: to - from + 1 }, (_, index) => stampedOp(from + index, parts));
}

/** The batch of these ops; all must fit. */
export async function batchOf(
  ops: readonly StampedOp[],
  context: Partial<SealContext> = {},
  signer = HUB,
  encoding: Encoding = 'columns',
  compression: Compression = 'brotli',
): Promise<SealedBatch> {
  const builder = new BatchBuilder(ops[0]?.op.class ?? TELEMETRY, DEFAULT_SEAL_LIMITS, encoding);
  for (const op of ops) builder.add(op);
  const fields: SealContext = {
    site: SITE,
    previous: undefined,
    fromLsn: 1,
    throughLsn: ops.length,
    createdMs: START_MS,
    quality: 'ntp',
    ...context,
  };
  const tools = { signer, compressor: inlineCompressor, compression, pause: noPause };
  return builder.seal(fields, tools);
}

export function expecting(batch: SealedBatch): ExpectedBatch {
  return { id: batch.id, site: SITE, hub: HUB_ID, publicKey: HUB.publicKey };
}

/** Bytes as they are, whatever kind of array holds them. */
export function plainOp({ bytes, op, stamp }: StampedOp): object {
  return { bytes: hexOf(bytes), key: op.key, seq: op.seq, stamp };
}
