/**
 * The folded state in one file, so that the journal may let go of its beginning: a state database that is
 * lost or damaged is folded anew from the snapshot and what the journal has after it. The bytes are those of
 * SNAPSHOT.md. The file replaces its predecessor as a whole and is only believed as a whole: the manifest at its
 * end holds the SHA-256 of all before, and bears the hub's signature.
 *
 * Writing runs in slices, because a site of 100,000 topics takes half a second; digest and version vector are
 * gathered on the way.
 */
import { createHash } from 'node:crypto';

import { AssertionError } from '../base/assert.ts';
import { bytesEqual, hexOf } from '../base/bytes.ts';
import type { Clock, Timers } from '../base/clock.ts';
import { HubError, messageOf } from '../base/errors.ts';
import { pauseEvery } from '../base/steps.ts';
import { type CoseSign1, parseCose, type Verify, verifyCose } from '../codec/cose.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { originOfPublicKey, sha256 } from '../hashes.ts';
import { DigestBuilder, type Hasher } from '../merge/state/digest.ts';
import { readStateItem, type StateItem, writeStateItem } from '../merge/state/state-item.ts';
import type { Lane, Origin } from '../model/origin.ts';
import type { VersionVector } from '../model/version-vector.ts';
import { type Files, folderOf, type OpenFile, removeHalf } from '../platform/files/files.ts';
import { synced } from '../platform/files/off-loop.ts';
import { SNAPSHOT_FORMAT } from '../versions.ts';
import {
  type Lsn,
  readManifest,
  type Signer,
  signManifest,
  type SnapshotManifest,
} from './manifest.ts';

export interface WriteSnapshotOptions {
  readonly files: Files;
  /** Folder and name; `<path>.new` beside it is ours too. */
  readonly path: string;
  readonly lsn: Lsn;
  /**
   * The state at `lsn`, events and then fields in the order of the digest; it must not change before the
   * returned promise settles.
   */
  readonly items: Iterable<StateItem>;
  readonly signer: Signer;
  /** Of the site: when it was written. */
  readonly siteClock: Clock;
  /** Measures the slices. */
  readonly clock: Clock;
  readonly timers: Timers;
}

/** Whose snapshot is believed. */
export interface Trust {
  /** Raw key of 32 bytes; absent: of whoever signed it. */
  readonly publicKey?: Uint8Array;
  readonly verify: Verify;
}

export interface Snapshot {
  readonly manifest: SnapshotManifest;
  /** May be read once. */
  readonly items: Iterable<StateItem>;
}

/** Format 2 has no ops on records: whoever takes it over makes them from the fields. */
export const SNAPSHOT_FORMAT_MIN = 2;
const TITLE = 'heliograph snapshot';
const SLICE_MS = 4;
/** The last item: a byte string of eight that says where the manifest begins. */
const TRAILER_BYTES = 9;
const HEADER_BYTES_MAX = 32;
const TRAILER_HEAD = 0x48;
const MANIFEST_ITEM = 0;
const NOT_THIS_HUB = 'it is not signed by this hub';
const CHUNK_BYTES = 64 * 1024;
const READ_LIMITS = { depthMax: 10, itemsMax: Number.MAX_SAFE_INTEGER };

/**
 * Writes the file; when the promise resolves, it survives a power cut. Rejects with `HubError`
 * `snapshot.failed` where the disk does not take it; the predecessor stays.
 */
export async function writeSnapshot(options: WriteSnapshotOptions): Promise<void> {
  const { files, path } = options;
  const fresh = `${path}.new`;
  try {
    const file = files.open(fresh, 'create');
    try {
      await writeItems(file, options);
      await synced(file);
    } finally {
      file.close();
    }
    files.rename(fresh, path);
    files.syncDir(folderOf(path));
  } catch (error) {
    removeHalf(files, fresh);
    // A fault in reading the state, and a bug, are not the disk's.
    if (error instanceof HubError || error instanceof AssertionError) throw error;
    throw new HubError('snapshot.failed', `${path}: ${messageOf(error)}`, error);
  }
}

async function writeItems(file: OpenFile, options: WriteSnapshotOptions): Promise<void> {
  const output = new Output(file);
  output.writer.array(2).text(TITLE).uint(SNAPSHOT_FORMAT);
  const summary = new Summary();
  const pause = pauseEvery(SLICE_MS, options);
  for (const item of options.items) {
    writeStateItem(output.writer, item);
    summary.add(item);
    output.flushIfFull();
    const rest = pause();
    if (rest !== undefined) await rest;
  }
  output.end((bytes, hash) => signedManifest(options, summary, bytes, hash));
}

function signedManifest(
  { signer, lsn, siteClock }: WriteSnapshotOptions,
  summary: Summary,
  bytes: number,
  hash: Uint8Array,
): Uint8Array {
  const manifest: SnapshotManifest = {
    hub: signer.id,
    publicKey: signer.publicKey,
    lsn,
    ...summary.finish(),
    horizon: new Map(),
    bytes,
    sha256: hash,
    createdMs: Math.max(0, Math.floor(siteClock.wallMs())),
    quality: siteClock.quality(),
  };
  return signManifest(manifest, signer);
}

/** What the items come to. */
class Summary {
  readonly #vector = new Map<Lane, number>();
  readonly #digest = new DigestBuilder(newHasher());
  #items = 0;

  add(item: StateItem): void {
    this.#items += 1;
    if (item.type === 'lane') this.#vector.set(item.lane, item.upTo);
    else if (item.type === 'event') this.#digest.event(item.key, item.write);
    else if (item.type === 'field') this.#digest.field(item.key, item.field, item.write);
    else if (item.type === 'counter') this.#digest.counter(item.key, item.field, item.counter);
    else if (item.type === 'doc') this.#digest.doc(item.key, item.doc.state);
  }

  finish(): { vector: VersionVector; digest: Uint8Array; items: number } {
    const { digest } = this.#digest.finish();
    return { vector: this.#vector, digest, items: this.#items };
  }
}

/**
 * Reads the file; undefined where there is none. Throws `HubError`: `snapshot.untrusted` where another key or none
 * signed it, `snapshot.damaged`, or `data.newer` where a later version wrote it.
 */
export function readSnapshot(files: Files, path: string, trust: Trust): Snapshot | undefined {
  const bytes = files.read(path);
  if (bytes === undefined) return undefined;
  return guarded(path, () => parse(bytes, path, trust));
}

function parse(bytes: Uint8Array, path: string, trust: Trust): Snapshot {
  const reader = new CborReader(bytes, 0, READ_LIMITS);
  reader.array();
  if (reader.text() !== TITLE) throw new CborError('not a snapshot', 0);
  const format = reader.uint();
  if (format > SNAPSHOT_FORMAT) {
    throw new HubError('data.newer', `snapshot has format ${format}, we know ${SNAPSHOT_FORMAT}`);
  }
  if (format < SNAPSHOT_FORMAT_MIN) {
    throw new HubError('snapshot.untrusted', `${path}: format ${format} bears no signature`);
  }
  const { message, start } = manifestOf(bytes);
  const manifest = readManifest(message);
  checkSignature(message, manifest, path, trust);
  if (manifest.bytes !== start || !bytesEqual(sha256(bytes.subarray(0, start)), manifest.sha256)) {
    throw new CborError('the hash does not match', start);
  }
  const items = function* (): Generator<StateItem> {
    for (let i = 0; i < manifest.items; i++) yield guarded(path, () => readStateItem(reader));
  };
  return { manifest, items: items() };
}

/** The newest snapshot as it may be handed on: open, whatever takes its place meanwhile. */
interface SnapshotFile {
  readonly file: OpenFile;
  readonly bytes: number;
  /** Signed. */
  readonly manifest: Uint8Array;
}

/** Opens the file to be handed on as it is; undefined where there is none, or another format. Throws `snapshot.damaged`. */
export function openSnapshot(files: Files, path: string): SnapshotFile | undefined {
  if (!files.exists(path)) return undefined;
  const file = files.open(path, 'read');
  try {
    const bytes = file.size();
    const manifest = guarded(path, () => manifestIn(file, bytes));
    if (manifest !== undefined) return { file, bytes, manifest };
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return undefined;
}

function manifestIn(file: OpenFile, bytes: number): Uint8Array | undefined {
  const reader = new CborReader(partOf(file, 0, Math.min(bytes, HEADER_BYTES_MAX)));
  reader.expectArray(2);
  if (reader.text() !== TITLE || reader.uint() !== SNAPSHOT_FORMAT) return undefined;
  const start = manifestStart(
    partOf(file, Math.max(0, bytes - TRAILER_BYTES), TRAILER_BYTES),
    bytes,
  );
  return manifestBytes(partOf(file, start, bytes - TRAILER_BYTES - start));
}

function partOf(file: OpenFile, offset: number, bytes: number): Uint8Array {
  const part = new Uint8Array(bytes);
  if (file.readAt(part, offset) < bytes) throw new CborError('cut short', offset);
  return part;
}

/** Reads what a hub says of its snapshot, if it is the hub's word; undefined where it is not. */
export function manifestOfHub(
  bytes: Uint8Array,
  hub: Origin,
  verify: Verify,
): SnapshotManifest | undefined {
  try {
    const message = parseCose(bytes);
    const manifest = readManifest(message);
    return manifest.hub === hub && isHubsOwn(message, manifest, verify) ? manifest : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

function checkSignature(
  message: CoseSign1,
  manifest: SnapshotManifest,
  path: string,
  { publicKey, verify }: Trust,
): void {
  if (publicKey !== undefined && !bytesEqual(publicKey, manifest.publicKey)) {
    const signer = hexOf(manifest.publicKey);
    throw new HubError('snapshot.untrusted', `${path}: ${NOT_THIS_HUB} but by the key ${signer}`);
  }
  if (!isHubsOwn(message, manifest, verify)) {
    throw new HubError('snapshot.untrusted', `${path}: ${NOT_THIS_HUB}, the signature is wrong`);
  }
}

/** Whether the key belongs to the hub that the manifest names, and the signature to the key. */
function isHubsOwn(
  message: CoseSign1,
  { hub, publicKey }: SnapshotManifest,
  verify: Verify,
): boolean {
  const idOfKey = originOfPublicKey(publicKey);
  const isNamed = hub === idOfKey && hexOf(message.keyId) === idOfKey;
  return isNamed && verifyCose(message, publicKey, verify);
}

/** The signed manifest at the end of the file, and where it begins. */
function manifestOf(bytes: Uint8Array): { message: CoseSign1; start: number } {
  const trailerAt = Math.max(0, bytes.length - TRAILER_BYTES);
  const start = manifestStart(bytes.subarray(trailerAt), bytes.length);
  return { message: parseCose(manifestBytes(bytes.subarray(start, trailerAt))), start };
}

/** Where the manifest of a file of so many bytes begins, by its last ones. */
function manifestStart(trailer: Uint8Array, bytes: number): number {
  if (trailer.length < TRAILER_BYTES || trailer[0] !== TRAILER_HEAD) {
    throw new CborError('cut short', bytes);
  }
  const start = Number(new DataView(trailer.buffer, trailer.byteOffset).getBigUint64(1));
  if (start >= bytes - TRAILER_BYTES) throw new CborError('no manifest', bytes - TRAILER_BYTES);
  return start;
}

/** The manifest out of what lies before the trailer. */
function manifestBytes(item: Uint8Array): Uint8Array {
  const reader = new CborReader(item, 0, READ_LIMITS);
  reader.expectArray(2);
  if (reader.uint() !== MANIFEST_ITEM) throw new CborError('no manifest', 0);
  const manifest = reader.bytes();
  if (!reader.atEnd) throw new CborError('bytes after the manifest', reader.offset);
  return manifest;
}

function guarded<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CborError)) throw error;
    throw new HubError('snapshot.damaged', `${path}: ${error.message}`, error);
  }
}

/** The file being written, in large pieces, and the hash of what has gone into it. */
class Output {
  readonly writer = new CborWriter(CHUNK_BYTES + 4096);
  readonly #file: OpenFile;
  readonly #hash = createHash('sha256');
  #offset = 0;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  flushIfFull(): void {
    if (this.writer.length >= CHUNK_BYTES) this.#flush();
  }

  /** Ends the file with what `sign` makes of all before. */
  end(sign: (bytes: number, hash: Uint8Array) => Uint8Array): void {
    this.#flush();
    const start = this.#offset;
    const manifest = sign(start, new Uint8Array(this.#hash.digest()));
    const trailer = new Uint8Array(TRAILER_BYTES - 1);
    new DataView(trailer.buffer).setBigUint64(0, BigInt(start));
    this.writer.array(2).uint(MANIFEST_ITEM).bytes(manifest).bytes(trailer);
    this.#file.writeAt(this.writer.peek(), start);
  }

  #flush(): void {
    const bytes = this.writer.peek();
    this.#hash.update(bytes);
    this.#file.writeAt(bytes, this.#offset);
    this.#offset += bytes.length;
    this.writer.reset();
  }
}

function newHasher(): Hasher {
  const hash = createHash('sha256');
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    finish: () => new Uint8Array(hash.digest()),
  };
}
