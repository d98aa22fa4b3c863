/**
 * The manifest: what a batch says of itself, signed by the hub (BATCH.md §3). It covers everything, so whoever
 * has it can tell whether the rest is complete and unchanged, and what the receipt for it must say.
 */
import type { ClockQuality } from '../base/clock.ts';
import { type CoseSign1, signCose } from '../codec/cose.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import type { CborLimits } from '../codec/value.ts';
import { CborWriter } from '../codec/writer.ts';
import { HASH_BYTES } from '../ledger/merkle.ts';
import type { TreeHead } from '../ledger/note.ts';
import { isOpClass, type OpClass } from '../model/class.ts';
import { QUALITIES } from '../model/op.ts';
import { bytesOfOrigin, type Origin, originOfBytes } from '../model/origin.ts';
import {
  BATCH_FORMAT,
  BATCH_FORMAT_CATCHING_UP,
  BATCH_FORMAT_SEALED,
  BATCH_FORMAT_WITNESSED,
} from '../versions.ts';
import { type BatchId, batchIdOfBytes, bytesOfBatchId } from './batch-id.ts';
import { type Compression, COMPRESSIONS } from './compression.ts';
import { SKIPPED_LEAVES_MAX } from './limits.ts';
import { type Encoding, ENCODINGS } from './payload.ts';
import { SEAL_KEY_ID_BYTES } from './payload-seal.ts';
import { type LaneRange, readRanges, writeRanges } from './ranges.ts';

export type { TreeHead } from '../ledger/note.ts';

export const MANIFEST_TYPE = 'application/vnd.heliograph.manifest+cbor';

export interface Manifest {
  readonly hub: Origin;
  readonly site: string;
  readonly class: OpClass;
  /** The hub's batch of this class before this one; undefined where a chain begins (first start, lost cursor). */
  readonly previous: BatchId | undefined;
  /** The part of the hub's journal, both ends included, of which this batch holds all ops of its class. */
  readonly fromLsn: number;
  readonly throughLsn: number;
  /** Wall milliseconds of the earliest and the latest stamp. */
  readonly oldestMs: number;
  readonly newestMs: number;
  readonly ranges: readonly LaneRange[];
  readonly ops: number;
  /** RFC 9162 tree hash over the ops' bytes, in the order of the payload. */
  readonly root: Uint8Array;
  readonly payloadSha256: Uint8Array;
  readonly payloadBytes: number;
  /** Payload before compression. */
  readonly rawBytes: number;
  readonly compression: Compression;
  /** How the ops stand in the payload. */
  readonly encoding: Encoding;
  readonly createdMs: number;
  readonly quality: ClockQuality;
  /** The hub's tree of this class behind the last op of the batch; not told to a region that does not read it. */
  readonly tree?: TreeHead;
  /** Id of the key that the payload is encrypted to; absent: it is not. */
  readonly sealedTo?: Uint8Array;
  /** Whose law the data is under; a region stores only what it may. Absent: not said. */
  readonly jurisdiction?: string;
  /** Leaves of the tree before those of the ops, one behind the other: their ops are lost, and the region lacks them. */
  readonly skipped?: Uint8Array;
}

/** Whoever signs: the hub for manifests, the regional node for receipts. */
export interface Signer {
  /** Raw Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

const FIELDS = 18;
/** Of the format that tells the tree. */
const FIELDS_WITNESSED = 19;
/** Of the format with key and jurisdiction; tree, key and jurisdiction may each be nothing. */
const FIELDS_SEALED = 21;
/** Of the format with leaves that the region lacks. */
const FIELDS_CATCHING_UP = 22;
/** A jurisdiction: a short code, such as `KE` or `EU-DE`. */
const JURISDICTION = /^[A-Za-z0-9-]{1,32}$/;
const LIMITS: CborLimits = { depthMax: 3, itemsMax: 110_000 };

/** The signed manifest, a COSE_Sign1; its hash names the batch. */
export function signManifest(manifest: Manifest, signer: Signer): Uint8Array {
  const header = { contentType: MANIFEST_TYPE, keyId: bytesOfOrigin(manifest.hub) };
  return signCose(encodeManifest(manifest), header, (message) => signer.sign(message));
}

/** Where in the hub's tree the first leaf stands that the manifest tells of; below 0 where it lies. */
export function firstLeafOf({ tree, ops, skipped }: Manifest): number {
  return (tree?.size ?? 0) - ops - (skipped?.length ?? 0) / HASH_BYTES;
}

/** What an encrypted payload is bound to: the manifest, with zeros where the hash of the payload will stand. */
export function associatedData(manifest: Manifest): Uint8Array {
  return encodeManifest({ ...manifest, payloadSha256: new Uint8Array(HASH_BYTES) });
}

function formatOf({ tree, sealedTo, jurisdiction, skipped }: Manifest): number {
  if (skipped !== undefined) return BATCH_FORMAT_CATCHING_UP;
  if (sealedTo !== undefined || jurisdiction !== undefined) return BATCH_FORMAT_SEALED;
  return tree === undefined ? BATCH_FORMAT : BATCH_FORMAT_WITNESSED;
}

const FIELDS_BY_FORMAT = new Map([
  [BATCH_FORMAT, FIELDS],
  [BATCH_FORMAT_WITNESSED, FIELDS_WITNESSED],
  [BATCH_FORMAT_SEALED, FIELDS_SEALED],
  [BATCH_FORMAT_CATCHING_UP, FIELDS_CATCHING_UP],
]);

function encodeManifest(manifest: Manifest): Uint8Array {
  const writer = new CborWriter(512);
  const format = formatOf(manifest);
  writer.array(FIELDS_BY_FORMAT.get(format) as number).uint(format);
  writer.bytes(bytesOfOrigin(manifest.hub)).text(manifest.site).uint(manifest.class);
  if (manifest.previous === undefined) writer.null();
  else writer.bytes(bytesOfBatchId(manifest.previous));
  writer.uint(manifest.fromLsn).uint(manifest.throughLsn);
  writer.uint(manifest.oldestMs).uint(manifest.newestMs);
  writeRanges(writer, manifest.ranges);
  writer.uint(manifest.ops).bytes(manifest.root);
  writer.bytes(manifest.payloadSha256).uint(manifest.payloadBytes).uint(manifest.rawBytes);
  writer.uint(COMPRESSIONS.indexOf(manifest.compression));
  writer.uint(ENCODINGS.indexOf(manifest.encoding));
  writer.array(2).uint(manifest.createdMs).uint(QUALITIES.indexOf(manifest.quality));
  const { tree, sealedTo, jurisdiction, skipped } = manifest;
  const isSealed = format >= BATCH_FORMAT_SEALED;
  if (tree !== undefined) writer.array(2).uint(tree.size).bytes(tree.root);
  else if (isSealed) writer.null();
  if (!isSealed) return writer.finish();
  if (sealedTo === undefined) writer.null();
  else writer.bytes(sealedTo);
  if (jurisdiction === undefined) writer.null();
  else writer.text(jurisdiction);
  if (skipped !== undefined) writer.bytes(skipped);
  return writer.finish();
}

type ManifestOutcome =
  | { readonly kind: 'manifest'; readonly manifest: Manifest }
  /** A format of a later version. */
  | { readonly kind: 'newer'; readonly format: number }
  /** Written in a way that this version does not know, but well-formed. */
  | { readonly kind: 'unknown'; readonly what: 'compression' | 'encoding' }
  | { readonly kind: 'malformed'; readonly reason: string };

/** Reads the payload of a signed manifest whose signature was, or will be, checked by the caller. */
export function parseManifest(message: CoseSign1): ManifestOutcome {
  if (message.contentType !== MANIFEST_TYPE) return { kind: 'malformed', reason: 'content type' };
  try {
    const reader = new CborReader(message.payload, 0, LIMITS);
    const fields = reader.array();
    const format = reader.uint();
    const fieldsOfFormat = FIELDS_BY_FORMAT.get(format);
    if (fieldsOfFormat === undefined) return { kind: 'newer', format };
    if (fields !== fieldsOfFormat) return { kind: 'malformed', reason: 'field count' };
    const plain = readManifest(reader);
    const manifest = { ...plain, ...readLater(reader, format) };
    if (!reader.atEnd) throw new CborError('bytes after the end', reader.offset);
    return { kind: 'manifest', manifest };
  } catch (error) {
    if (error instanceof UnknownCodec) return { kind: 'unknown', what: error.what };
    if (error instanceof CborError) return { kind: 'malformed', reason: error.message };
    throw error;
  }
}

/** What the formats after the first have added. */
function readLater(
  reader: CborReader,
  format: number,
): Pick<Manifest, 'tree' | 'sealedTo' | 'jurisdiction' | 'skipped'> {
  if (format === BATCH_FORMAT) return {};
  if (format === BATCH_FORMAT_WITNESSED) return { tree: readTree(reader) };
  const tree = reader.orNull(() => readTree(reader));
  const sealedTo = reader.orNull(() => reader.bytes());
  const jurisdiction = reader.orNull(() => reader.text());
  const isKeyId = sealedTo === undefined || sealedTo.length === SEAL_KEY_ID_BYTES;
  const isCode = jurisdiction === undefined || JURISDICTION.test(jurisdiction);
  const skipped = format === BATCH_FORMAT_CATCHING_UP ? readSkipped(reader, tree) : undefined;
  const isNeeded = sealedTo !== undefined || jurisdiction !== undefined || skipped !== undefined;
  if (!isKeyId || !isCode || !isNeeded) throw new CborError('malformed seal', reader.offset);
  return {
    ...(tree === undefined ? {} : { tree }),
    ...(sealedTo === undefined ? {} : { sealedTo }),
    ...(jurisdiction === undefined ? {} : { jurisdiction }),
    ...(skipped === undefined ? {} : { skipped }),
  };
}

function readTree(reader: CborReader): TreeHead {
  reader.expectArray(2);
  const size = reader.uint();
  const root = reader.bytes();
  if (root.length !== HASH_BYTES) throw new CborError('malformed tree', reader.offset);
  return { size, root };
}

function readSkipped(reader: CborReader, tree: TreeHead | undefined): Uint8Array {
  const skipped = reader.bytes();
  const leaves = skipped.length / HASH_BYTES;
  const isCount = Number.isInteger(leaves) && leaves > 0 && leaves <= SKIPPED_LEAVES_MAX;
  if (!isCount || tree === undefined) throw new CborError('malformed leaves', reader.offset);
  return skipped;
}

class UnknownCodec extends CborError {
  readonly what: 'compression' | 'encoding';

  constructor(what: 'compression' | 'encoding', offset: number) {
    super(`unknown ${what}`, offset);
    this.what = what;
  }
}

function unknownCodec(what: 'compression' | 'encoding', offset: number): never {
  throw new UnknownCodec(what, offset);
}

function readManifest(reader: CborReader): Manifest {
  const need = <T>(value: T | undefined, what: string): T => {
    if (value === undefined) throw new CborError(`malformed ${what}`, reader.offset);
    return value;
  };
  const hash = (what: string): Uint8Array => {
    const bytes = reader.bytes();
    return need(bytes.length === HASH_BYTES ? bytes : undefined, what);
  };
  const hub = need(originOfBytes(reader.bytes()), 'hub');
  const site = reader.text();
  const classNumber = reader.uint();
  const opClass = need(isOpClass(classNumber) ? classNumber : undefined, 'class');
  const previous = reader.orNull(() => need(batchIdOfBytes(reader.bytes()), 'previous batch'));
  const fromLsn = reader.uint();
  const throughLsn = reader.uint();
  const oldestMs = reader.uint();
  const newestMs = reader.uint();
  const ranges = readRanges(reader);
  const ops = reader.uint();
  const root = hash('root');
  const payloadSha256 = hash('payload hash');
  const payloadBytes = reader.uint();
  const rawBytes = reader.uint();
  const compression = COMPRESSIONS[reader.uint()] ?? unknownCodec('compression', reader.offset);
  const encoding = ENCODINGS[reader.uint()] ?? unknownCodec('encoding', reader.offset);
  reader.expectArray(2);
  const createdMs = reader.uint();
  const quality = need(QUALITIES[reader.uint()], 'clock quality');
  const journal = { fromLsn, throughLsn, oldestMs, newestMs };
  const payload = { payloadSha256, payloadBytes, rawBytes, compression, encoding };
  const origin = { hub, site, class: opClass, previous };
  return { ...origin, ...journal, ranges, ops, root, ...payload, createdMs, quality };
}
