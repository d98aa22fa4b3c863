/**
 * Sealed batches on disk until their receipt comes: one file each, written whole before the first byte is sent, never
 * changed, named by class, journal range and id. So a cut or a restart resumes the very same bytes.
 *
 * None is synced. Their ops are in the journal until the receipt, so a power cut may take a batch of the last half minute: it is
 * sealed anew, and what had arrived of it was sent for nothing. Removals are not synced either: it may bring back names of
 * batches that have their receipt, whole or torn, which the outbox takes for what they are. A sync would cost each batch a commit of the file system, behind which
 * acknowledgements of devices wait, and bring to the card what most often is receipted and removed before it has to go there.
 */
import { assert } from '../base/assert.ts';
import { bytesEqual } from '../base/bytes.ts';
import { type BatchId, batchIdOfText } from '../batch/batch-id.ts';
import {
  type ChunkBitmap,
  type ChunkLayout,
  chunkSpan,
  encodeChunk,
  isLayout,
  layoutOf,
} from '../batch/wire/chunks.ts';
import { encodeShortChunk } from '../batch/wire/short-chunk.ts';
import { CHUNK_DATA_BYTES_MAX } from '../batch/limits.ts';
import type { Manifest } from '../batch/manifest.ts';
import { readOwnBatch } from '../batch/open-batch.ts';
import type { PayloadSealer } from '../batch/payload-seal.ts';
import type { SealedBatch } from '../batch/seal-batch.ts';
import { CLASSES } from '../model/class.ts';
import { type Files, putInPlace } from '../platform/files/files.ts';
import { isReceipted, type Progress } from './progress.ts';

/** A batch in the spool; its bytes stay on disk. */
export interface SpooledBatch {
  readonly id: BatchId;
  readonly manifest: Manifest;
  readonly layout: ChunkLayout;
}

/** How batches are sealed at this hub now. */
interface SealedHere {
  readonly sealer?: PayloadSealer | undefined;
  readonly jurisdiction?: string | undefined;
}

const SUFFIX = '.batch';
const PLACE = /^(\d)-(\d{16})-/;

export class Spool {
  readonly #files: Files;
  readonly #dir: string;
  readonly #batches = new Map<BatchId, SpooledBatch>();
  /** Batches that keep their layout at the next `cutInto`. */
  readonly #goingOn = new Set<BatchId>();
  #chunkBytes = CHUNK_DATA_BYTES_MAX;

  private constructor(files: Files, dir: string) {
    this.#files = files;
    this.#dir = dir;
  }

  /** Reads what is there; files that are damaged or none of ours are removed, and their names told. */
  static open(files: Files, dir: string): { spool: Spool; dropped: string[] } {
    files.makeDir(dir);
    const spool = new Spool(files, dir);
    const dropped = files.list(dir).filter((name) => !spool.#adopt(name));
    for (const name of dropped) files.remove(`${dir}/${name}`);
    return { spool, dropped };
  }

  /** All batches, by class and by place in the journal. */
  list(): SpooledBatch[] {
    return [...this.#batches.values()].toSorted(
      ({ manifest: a }, { manifest: b }) => a.class - b.class || a.fromLsn - b.fromLsn,
    );
  }

  get bytes(): number {
    let bytes = 0;
    for (const { layout } of this.#batches.values()) bytes += layout.batchBytes;
    return bytes;
  }

  get(id: BatchId): SpooledBatch | undefined {
    return this.#batches.get(id);
  }

  /** Takes up a sealed batch. */
  add({ id, manifest, bytes }: SealedBatch): SpooledBatch {
    const batch = { id, manifest, layout: layoutOf(bytes.length, this.#chunkBytes) };
    const path = this.#path(batch);
    putInPlace(this.#files, path, (beside) => {
      const file = this.#files.open(beside, 'create');
      try {
        file.writeAt(bytes, 0);
      } finally {
        file.close();
      }
    });
    this.#batches.set(id, batch);
    return batch;
  }

  remove(id: BatchId): void {
    const batch = this.#batches.get(id);
    if (batch === undefined) return;
    this.#batches.delete(id);
    this.#goingOn.delete(id);
    // Not synced: should the file come back after a crash, the batch is sent again, and known.
    this.#files.remove(this.#path(batch));
  }

  /**
   * The batch of which these chunks have arrived: it keeps their layout, or takes it up, where that is worth it.
   * Undefined where the chunks are of another layout, and given up.
   */
  goOn(id: BatchId, chunks: ChunkBitmap, isWorthIt: boolean): SpooledBatch | undefined {
    const batch = this.#batches.get(id);
    if (batch === undefined) return undefined;
    const layout = { total: chunks.total, batchBytes: batch.layout.batchBytes };
    const goesOn = isWorthIt && isLayout(layout);
    if (goesOn) this.#goingOn.add(id);
    if (chunks.total === batch.layout.total) return batch;
    return goesOn ? this.#lay(batch, layout) : undefined;
  }

  /** Cuts the batches that do not go on as they are, and those to come, in chunks of at most so many bytes. */
  cutInto(chunkBytesMax: number): void {
    this.#chunkBytes = chunkBytesMax;
    for (const batch of this.#batches.values()) {
      if (this.#goingOn.delete(batch.id)) continue;
      this.#lay(batch, layoutOf(batch.layout.batchBytes, chunkBytesMax));
    }
  }

  #lay(batch: SpooledBatch, layout: ChunkLayout): SpooledBatch {
    const laid = { ...batch, layout };
    this.#batches.set(batch.id, laid);
    return laid;
  }

  /** The message for chunk `index` of a batch in the spool, whose head may be short. */
  chunk(id: BatchId, index: number, isShort: boolean): Uint8Array {
    const batch = this.#batches.get(id);
    assert(batch !== undefined, 'chunks are asked for while the batch is spooled');
    const span = chunkSpan(batch.layout, index);
    const data = new Uint8Array(span.to - span.from);
    const file = this.#files.open(this.#path(batch), 'read');
    try {
      assert(file.readAt(data, span.from) === data.length, 'a sealed batch keeps its length');
    } finally {
      file.close();
    }
    if (isShort) return encodeShortChunk(id, batch.layout, index, data);
    return encodeChunk(data, batch.layout, index);
  }

  #path({ id, manifest }: Pick<SpooledBatch, 'id' | 'manifest'>): string {
    const from = String(manifest.fromLsn).padStart(16, '0');
    return `${this.#dir}/${manifest.class}-${from}-${id}${SUFFIX}`;
  }

  #adopt(name: string): boolean {
    const id = name.endsWith(SUFFIX)
      ? batchIdOfText(name.slice(-32 - SUFFIX.length, -SUFFIX.length))
      : undefined;
    const bytes = id === undefined ? undefined : this.#files.read(`${this.#dir}/${name}`);
    const own = bytes === undefined ? undefined : readOwnBatch(bytes);
    if (bytes === undefined || own === undefined || own.id !== id) return false;
    const batch = { ...own, layout: layoutOf(bytes.length) };
    if (this.#path(batch) !== `${this.#dir}/${name}`) return false;
    this.#batches.set(id, batch);
    return true;
  }
}

/** Whether a file here is named after a batch that has its receipt, whatever is in it. */
export function isNameOfReceipted(name: string, progress: Progress): boolean {
  const [, classText, fromLsn] = PLACE.exec(name) ?? [];
  const opClass = CLASSES.find((it) => String(it) === classText);
  return opClass !== undefined && isReceipted(progress[opClass], Number(fromLsn));
}

/** What was sealed for another key, in the open, or under another law, must not travel any more: its ops are sealed anew. */
export function isSealedAsNow(manifest: Manifest, { sealer, jurisdiction }: SealedHere): boolean {
  const { sealedTo } = manifest;
  const isSameKey =
    sealedTo === undefined || sealer === undefined
      ? sealedTo === sealer?.keyId
      : bytesEqual(sealedTo, sealer.keyId);
  return isSameKey && manifest.jurisdiction === jurisdiction;
}
