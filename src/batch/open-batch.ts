/**
 * Reads a batch that came over a wire nobody vouches for. Checks run from the cheap to the costly, and nothing
 * is decompressed before the signature over its length and hash has been verified.
 *
 * The outcome says what to do. `damaged`: not proven to be what the hub signed, so ask for it again.
 * `refused`: the hub did sign this and it still cannot be taken, so asking again is of no use; a person must look.
 */
import { bytesEqual } from '../base/bytes.ts';
import { inSlices, type Pause, type Steps } from '../base/steps.ts';
import { parseCose, verifyCose, type Verify } from '../codec/cose.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import { sha256 } from '../hashes.ts';
import { TreeHasher } from '../ledger/tree-hasher.ts';
import type { StampedOp } from '../model/op.ts';
import { bytesOfOrigin, type Origin } from '../model/origin.ts';
import { type BatchId, batchIdOf } from './batch-id.ts';
import { type Compressor, KNOWN_COMPRESSIONS } from './compression.ts';
import { BATCH_BYTES_MAX, BATCH_OPS_MAX, RAW_BYTES_MAX } from './limits.ts';
import { associatedData, type Manifest, parseManifest } from './manifest.ts';
import { readPayload, SLICE_OPS } from './payload.ts';
import type { Opened, PayloadOpener } from './payload-seal.ts';
import { opsInRanges, RangeSet, rangesEqual } from './ranges.ts';

/** The reason for which not even the bytes may be kept. */
export const NOT_ACCEPTED = 'jurisdiction not accepted';
/** Reason of a refusal: the hub has told another history before. */
export const FORKED = 'forked history';

type DamagedReason =
  | 'not a batch'
  | 'another batch id'
  | 'wrong signature'
  | 'wrong payload length'
  | 'wrong payload hash';

type RefusedReason =
  | 'malformed manifest'
  | 'newer format'
  /** A later version wrote it: to be tried again when this one was updated. */
  | 'unknown compression'
  | 'unknown encoding'
  | 'wrong hub'
  | 'wrong site'
  | 'too many ops'
  | 'too large'
  /** Encrypted to a key that the region does not hold. */
  | 'unknown key'
  | 'wrong seal'
  /** The region may not store what is under this law. */
  | typeof NOT_ACCEPTED
  | 'malformed payload'
  | 'another class'
  | 'foreign stamp'
  | 'ops differ from ranges'
  | 'wrong root'
  | typeof FORKED;

export type BatchOutcome =
  | {
      readonly kind: 'batch';
      readonly manifest: Manifest;
      readonly entries: readonly StampedOp[];
      /** Leaf hashes of the entries, in their order. */
      readonly leaves: readonly Uint8Array[];
    }
  | { readonly kind: 'damaged'; readonly reason: DamagedReason }
  | { readonly kind: 'refused'; readonly reason: RefusedReason; readonly manifest?: Manifest };

export interface ExpectedBatch {
  readonly id: BatchId;
  readonly site: string;
  readonly hub: Origin;
  /** The hub's key, as its hello proved it. */
  readonly publicKey: Uint8Array;
}

/** What opening works with; `pause` lets other work run between slices of it. */
export interface OpenTools {
  readonly verify: Verify;
  readonly compressor: Compressor;
  readonly pause: Pause;
  /** Undefined: nothing that is encrypted can be opened. */
  readonly opener?: PayloadOpener | undefined;
  /** Whether this may be stored here; undefined: everything may. */
  readonly acceptsJurisdiction?: ((code: string | undefined) => boolean) | undefined;
}

/** Manifest and payload of a batch, not verified yet. */
interface BatchParts {
  readonly id: BatchId;
  readonly manifestBytes: Uint8Array;
  readonly payload: Uint8Array;
}

/** Takes a batch apart without believing any of it; undefined where it is no batch. */
export function splitBatch(bytes: Uint8Array): BatchParts | undefined {
  if (bytes.length > BATCH_BYTES_MAX) return undefined;
  try {
    const reader = new CborReader(bytes, 0, { depthMax: 1, itemsMax: 3 });
    reader.expectArray(2);
    const manifestBytes = reader.bytes();
    const payload = reader.bytes();
    if (!reader.atEnd) return undefined;
    return { id: batchIdOf(manifestBytes), manifestBytes, payload };
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** The manifest of a batch that was verified when it came, from the first bytes of it; undefined where they are damaged. */
export function headOf(bytes: Uint8Array): Manifest | undefined {
  try {
    const reader = new CborReader(bytes, 0, { depthMax: 1, itemsMax: 3 });
    reader.expectArray(2);
    const outcome = parseManifest(parseCose(reader.bytes()));
    return outcome.kind === 'manifest' ? outcome.manifest : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** The manifest of a batch that we sealed ourselves and find again on disk; undefined where the file is damaged. */
export function readOwnBatch(bytes: Uint8Array): { id: BatchId; manifest: Manifest } | undefined {
  const parts = splitBatch(bytes);
  if (parts === undefined) return undefined;
  try {
    const outcome = parseManifest(parseCose(parts.manifestBytes));
    if (outcome.kind !== 'manifest') return undefined;
    const { manifest } = outcome;
    if (!bytesEqual(sha256(parts.payload), manifest.payloadSha256)) return undefined;
    return { id: parts.id, manifest };
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

export async function openBatch(
  bytes: Uint8Array,
  expected: ExpectedBatch,
  tools: OpenTools,
): Promise<BatchOutcome> {
  const { verify, compressor, pause } = tools;
  const proven = proveBatch(bytes, expected, verify);
  if (proven.kind !== 'proven') return proven;
  const { manifest } = proven;
  const refuse = (reason: RefusedReason): BatchOutcome => ({ kind: 'refused', reason, manifest });
  if (manifest.hub !== expected.hub) return refuse('wrong hub');
  if (manifest.site !== expected.site) return refuse('wrong site');
  if (manifest.ops > BATCH_OPS_MAX) return refuse('too many ops');
  if (manifest.rawBytes > RAW_BYTES_MAX) return refuse('too large');
  if (manifest.throughLsn < manifest.fromLsn) return refuse('malformed manifest');
  if (opsInRanges(manifest.ranges) !== manifest.ops) return refuse('ops differ from ranges');
  if (tools.acceptsJurisdiction?.(manifest.jurisdiction) === false) {
    return refuse(NOT_ACCEPTED);
  }
  const { compression } = manifest;
  if (!KNOWN_COMPRESSIONS.includes(compression)) return refuse('unknown compression');
  const payload = await plainPayload(manifest, proven.payload, tools);
  if (payload === 'unknown-key') return refuse('unknown key');
  if (payload === 'wrong-seal') return refuse('wrong seal');
  const raw =
    compression === 'none'
      ? payload
      : await compressor.decompress(payload, manifest.rawBytes, compression);
  if (raw?.length !== manifest.rawBytes) return refuse('malformed payload');
  const entries = await inSlices(readPayload(raw, manifest.encoding), pause);
  if (entries === undefined) return refuse('malformed payload');
  const leaves: Uint8Array[] = [];
  const difference = await inSlices(differenceFrom(manifest, entries, leaves), pause);
  return difference === undefined
    ? { kind: 'batch', manifest, entries, leaves }
    : refuse(difference);
}

function plainPayload(
  manifest: Manifest,
  payload: Uint8Array,
  { opener, pause }: OpenTools,
): Promise<Opened> {
  const { sealedTo } = manifest;
  if (sealedTo === undefined) return Promise.resolve(payload);
  if (opener === undefined) return Promise.resolve('unknown-key');
  return opener.open(sealedTo, payload, associatedData(manifest), pause);
}

type Proven =
  | { readonly kind: 'proven'; readonly manifest: Manifest; readonly payload: Uint8Array }
  | Exclude<BatchOutcome, { kind: 'batch' }>;

/** Everything that the hub's signature covers directly: id, manifest, payload hash. */
function proveBatch(bytes: Uint8Array, expected: ExpectedBatch, verify: Verify): Proven {
  const parts = splitBatch(bytes);
  if (parts === undefined) return damaged('not a batch');
  if (parts.id !== expected.id) return damaged('another batch id');
  let message;
  try {
    message = parseCose(parts.manifestBytes);
  } catch (error) {
    if (error instanceof CborError) return damaged('not a batch');
    throw error;
  }
  const signedByHub =
    bytesEqual(message.keyId, bytesOfOrigin(expected.hub)) &&
    verifyCose(message, expected.publicKey, verify);
  if (!signedByHub) return damaged('wrong signature');
  const outcome = parseManifest(message);
  if (outcome.kind === 'newer') return { kind: 'refused', reason: 'newer format' };
  if (outcome.kind === 'unknown') return { kind: 'refused', reason: `unknown ${outcome.what}` };
  if (outcome.kind === 'malformed') return { kind: 'refused', reason: 'malformed manifest' };
  const { manifest } = outcome;
  if (parts.payload.length !== manifest.payloadBytes) return damaged('wrong payload length');
  if (!bytesEqual(sha256(parts.payload), manifest.payloadSha256))
    return damaged('wrong payload hash');
  return { kind: 'proven', manifest, payload: parts.payload };
}

function damaged(reason: DamagedReason): Proven {
  return { kind: 'damaged', reason };
}

/** In what the ops of the payload are not those of the manifest; their leaf hashes go into `leaves`. */
function* differenceFrom(
  manifest: Manifest,
  entries: readonly StampedOp[],
  leaves: Uint8Array[],
): Steps<RefusedReason | undefined> {
  if (entries.length !== manifest.ops) return 'ops differ from ranges';
  const ranges = new RangeSet();
  const tree = new TreeHasher();
  for (const { bytes, op, stamp } of entries) {
    if (op.class !== manifest.class) return 'another class';
    if (op.origin === manifest.hub && stamp.hub !== manifest.hub) return 'foreign stamp';
    if (!ranges.add(op.origin, op.class, op.seq)) return 'ops differ from ranges';
    tree.add(bytes);
    leaves.push(tree.lastLeaf);
    if (tree.size % SLICE_OPS === 0) yield;
  }
  if (!rangesEqual(ranges.list(), manifest.ranges)) return 'ops differ from ranges';
  return bytesEqual(tree.root(), manifest.root) ? undefined : 'wrong root';
}
