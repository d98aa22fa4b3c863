/**
 * What a snapshot says of itself, signed by the hub that wrote it (SNAPSHOT.md §2): whoever has the hub's public
 * key can tell that the state is this hub's, whole, and which ops are in it.
 */
import type { ClockQuality } from '../base/clock.ts';
import { type CoseSign1, signCose } from '../codec/cose.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { isOpClass } from '../model/class.ts';
import { QUALITIES } from '../model/op.ts';
import { bytesOfOrigin, laneOf, type Origin, originOfBytes, splitLane } from '../model/origin.ts';
import type { VersionVector } from '../model/version-vector.ts';

const SNAPSHOT_TYPE = 'application/vnd.heliograph.snapshot+cbor';
const FIELDS = 11;
const HASH_BYTES = 32;
const LIMITS = { depthMax: 3, itemsMax: 100_000 };

export type Lsn = number;

/** Whoever signs: the hub. */
export interface Signer {
  readonly id: Origin;
  /** Raw Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

export interface SnapshotManifest {
  readonly hub: Origin;
  readonly publicKey: Uint8Array;
  /** All of the hub's journal up to here is in the state. */
  readonly lsn: Lsn;
  /** The ops in the state: each lane up to its seq. What lies beyond a gap stands in the items. */
  readonly vector: VersionVector;
  /** History before this may be pruned; empty: nothing. */
  readonly horizon: VersionVector;
  /** Of MERGE.md. */
  readonly digest: Uint8Array;
  readonly items: number;
  /** Header and items. */
  readonly bytes: number;
  readonly sha256: Uint8Array;
  readonly createdMs: number;
  readonly quality: ClockQuality;
}

export function signManifest(manifest: SnapshotManifest, signer: Signer): Uint8Array {
  const writer = new CborWriter(512).array(FIELDS);
  writer.bytes(bytesOfOrigin(manifest.hub)).bytes(manifest.publicKey).uint(manifest.lsn);
  writeVector(writer, manifest.vector);
  writeVector(writer, manifest.horizon);
  writer.bytes(manifest.digest).uint(manifest.items).uint(manifest.bytes).bytes(manifest.sha256);
  writer.uint(manifest.createdMs).uint(QUALITIES.indexOf(manifest.quality));
  const header = { contentType: SNAPSHOT_TYPE, keyId: bytesOfOrigin(manifest.hub) };
  return signCose(writer.finish(), header, (message) => signer.sign(message));
}

/** Reads the manifest of a signed message; throws `CborError` where it is malformed. */
export function readManifest(message: CoseSign1): SnapshotManifest {
  if (message.contentType !== SNAPSHOT_TYPE) throw new CborError('not a manifest', 0);
  const reader = new CborReader(message.payload, 0, LIMITS);
  reader.expectArray(FIELDS);
  const manifest: SnapshotManifest = {
    hub: originOf(reader),
    publicKey: hashOf(reader),
    lsn: reader.uint(),
    vector: readVector(reader),
    horizon: readVector(reader),
    digest: hashOf(reader),
    items: reader.uint(),
    bytes: reader.uint(),
    sha256: hashOf(reader),
    createdMs: reader.uint(),
    quality: QUALITIES[reader.uint()] ?? fail('unknown clock quality', reader),
  };
  if (!reader.atEnd) fail('bytes after the end', reader);
  return manifest;
}

function writeVector(writer: CborWriter, vector: VersionVector): void {
  const lanes = [...vector].toSorted(([a], [b]) => (a < b ? -1 : 1));
  writer.array(lanes.length);
  for (const [lane, seq] of lanes) {
    const { origin, class: opClass } = splitLane(lane);
    writer.array(3).bytes(bytesOfOrigin(origin)).uint(opClass).uint(seq);
  }
}

function readVector(reader: CborReader): VersionVector {
  const vector = new Map();
  for (let lanes = reader.array(); lanes > 0; lanes--) {
    reader.expectArray(3);
    const origin = originOf(reader);
    const opClass = reader.uint();
    if (!isOpClass(opClass)) return fail('unknown class', reader);
    vector.set(laneOf(origin, opClass), reader.uint());
  }
  return vector;
}

function originOf(reader: CborReader): Origin {
  return originOfBytes(reader.bytes()) ?? fail('an id has 8 bytes', reader);
}

function hashOf(reader: CborReader): Uint8Array {
  const bytes = reader.bytes();
  return bytes.length === HASH_BYTES ? bytes : fail('not 32 bytes', reader);
}

function fail(reason: string, reader: CborReader): never {
  throw new CborError(reason, reader.offset);
}
