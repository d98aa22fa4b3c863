/**
 * The folded state in one file, so that the journal may let go of its beginning: a state database that is
 * lost or damaged is folded anew from the snapshot and what the journal has after it. The file replaces
 * its predecessor as a whole and is only believed as a whole: its last item holds the count of
 * items (big-endian) and a SHA-256 of all before and of the count.
 *
 *   snapshot = header items end         a CBOR sequence (RFC 8742)
 *   header   = ["heliograph snapshot", SNAPSHOT_FORMAT, lsn: uint]     ; all of the journal up to lsn is in it
 *   items    = * state-item             merge/state-item.ts
 *   end      = [0, items: bstr .size 8, sha-256: bstr .size 32]
 *
 * Writing runs in slices, because a site of 100,000 topics takes half a second.
 */
import { createHash } from 'node:crypto';

import { AssertionError } from '../base/assert.ts';
import { bytesEqual } from '../base/bytes.ts';
import type { Clock, Timers } from '../base/clock.ts';
import { HubError, messageOf } from '../base/errors.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { readStateItem, type StateItem, writeStateItem } from '../merge/state-item.ts';
import type { Files, OpenFile } from '../platform/files.ts';
import { SNAPSHOT_FORMAT } from '../versions.ts';

export type Lsn = number;

export interface WriteSnapshotOptions {
  readonly files: Files;
  /** Folder and name; `<path>.new` beside it is ours too. */
  readonly path: string;
  readonly lsn: Lsn;
  /** The state at `lsn`; it must not change before the returned promise settles. */
  readonly items: Iterable<StateItem>;
  readonly clock: Clock;
  readonly timers: Timers;
}

export interface Snapshot {
  readonly lsn: Lsn;
  readonly items: Iterable<StateItem>;
}

const TITLE = 'heliograph snapshot';
const SLICE_MS = 4;
/** Array head, 0, count and hash with their heads. */
const END_BYTES = 45;
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
      await datasync(file);
    } finally {
      file.close();
    }
    files.rename(fresh, path);
    files.syncDir(path.slice(0, path.lastIndexOf('/') + 1) || '.');
  } catch (error) {
    // A fault in reading the state, and a bug, are not the disk's.
    if (error instanceof HubError || error instanceof AssertionError) throw error;
    throw new HubError('snapshot.failed', `${path}: ${messageOf(error)}`, error);
  }
}

async function writeItems(file: OpenFile, options: WriteSnapshotOptions): Promise<void> {
  const { lsn, items, clock, timers } = options;
  const output = new Output(file);
  output.writer.array(3).text(TITLE).uint(SNAPSHOT_FORMAT).uint(lsn);
  let count = 0;
  let sliceEndMs = clock.monotonicMs() + SLICE_MS;
  for (const item of items) {
    writeStateItem(output.writer, item);
    count += 1;
    output.flushIfFull();
    if (clock.monotonicMs() < sliceEndMs) continue;
    await new Promise<void>((resolve) => timers.soon(resolve));
    sliceEndMs = clock.monotonicMs() + SLICE_MS;
  }
  output.end(count);
}

/**
 * Reads the file; undefined where there is none. Throws `HubError`: `snapshot.damaged`, or `data.newer` where a
 * later version wrote it.
 */
export function readSnapshot(files: Files, path: string): Snapshot | undefined {
  const bytes = files.read(path);
  if (bytes === undefined) return undefined;
  return guarded(path, () => parse(bytes, path));
}

function parse(bytes: Uint8Array, path: string): Snapshot {
  const reader = new CborReader(bytes, 0, READ_LIMITS);
  reader.expectArray(3);
  if (reader.text() !== TITLE) throw new CborError('not a snapshot', 0);
  const format = reader.uint();
  if (format > SNAPSHOT_FORMAT) {
    throw new HubError('data.newer', `snapshot has format ${format}, we know ${SNAPSHOT_FORMAT}`);
  }
  const lsn = reader.uint();
  const count = checkEnd(bytes);
  const items = function* (): Generator<StateItem> {
    for (let i = 0; i < count; i++) yield guarded(path, () => readStateItem(reader));
  };
  return { lsn, items: items() };
}

/** Checks the last item and returns the count in it. */
function checkEnd(bytes: Uint8Array): number {
  const start = bytes.length - END_BYTES;
  if (start < 0) throw new CborError('cut short', bytes.length);
  const reader = new CborReader(bytes, start);
  reader.expectArray(3);
  if (reader.uint() !== 0) throw new CborError('no end', start);
  const count = reader.bytes();
  const hash = createHash('sha256').update(bytes.subarray(0, start)).update(count).digest();
  if (count.length !== 8 || !bytesEqual(hash, reader.bytes())) {
    throw new CborError('the hash does not match', start);
  }
  return Number(new DataView(count.buffer, count.byteOffset, 8).getBigUint64(0));
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

  end(count: number): void {
    this.#flush();
    const countBytes = new Uint8Array(8);
    new DataView(countBytes.buffer).setBigUint64(0, BigInt(count));
    const digest = new Uint8Array(this.#hash.update(countBytes).digest());
    this.writer.array(3).uint(0).bytes(countBytes).bytes(digest);
    this.#file.writeAt(this.writer.peek(), this.#offset);
  }

  #flush(): void {
    const bytes = this.writer.peek();
    this.#hash.update(bytes);
    this.#file.writeAt(bytes, this.#offset);
    this.#offset += bytes.length;
    this.writer.reset();
  }
}

function datasync(file: OpenFile): Promise<void> {
  return new Promise((resolve, reject) => {
    file.datasync((error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}
