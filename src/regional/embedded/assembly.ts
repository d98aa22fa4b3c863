/**
 * Batches that are not complete: a file each, into which every chunk goes at its place, in any order and any
 * number of times, so that neither a cut nor a restart loses what has come.
 *
 *   incoming/<hub>-<batch>-<total>-<bytes>.part     slots of [SHA-256 of the chunk, the chunk]
 *
 * The file proves itself: a slot counts where its hash is right. So nothing is synced, and no second file
 * says what is there; what a power cut takes is sent again.
 */
import { bytesEqual } from '../../base/bytes.ts';
import { type BatchId, batchIdOfText } from '../../batch/batch-id.ts';
import {
  type Chunk,
  ChunkBitmap,
  chunkBytes,
  type ChunkLayout,
  chunkSpan,
  isLayout,
} from '../../batch/wire/chunks.ts';
import type { BatchRef, NamedBatch } from '../../batch/wire/short-chunk.ts';
import { sha256 } from '../../hashes.ts';
import { type Origin, originOfText } from '../../model/origin.ts';
import type { Files } from '../../platform/files/files.ts';
import type { RegionalLimits } from '../limits.ts';
import type { PutOutcome } from '../site-storage.ts';

interface Part extends ChunkLayout {
  readonly hub: Origin;
  readonly batch: BatchId;
  /** Undefined until somebody asks: reading it back takes a while. */
  chunks: ChunkBitmap | undefined;
  touched: number;
}

type KeptChunk = Extract<PutOutcome, { kind: 'kept' }>;

const HASH_BYTES = 32;
const NAME = /^([0-9a-f]{16})-([0-9a-f]{32})-([0-9]+)-([0-9]+)\.part$/;

export class Assembly {
  readonly #files: Files;
  readonly #dir: string;
  readonly #limits: RegionalLimits;
  readonly #parts = new Map<string, Part>();
  #touches = 0;

  constructor(files: Files, dir: string, limits: RegionalLimits) {
    this.#files = files;
    this.#dir = dir;
    this.#limits = limits;
    files.makeDir(dir);
    for (const name of files.list(dir)) this.#adopt(name);
  }

  /** Batches that have begun to come. */
  get count(): number {
    return this.#parts.size;
  }

  /** Keeps a chunk. Of two layouts the newer counts, so that a forged chunk does not bar the way for good. */
  put(hub: Origin, batch: BatchId, chunk: Chunk): KeptChunk {
    const { total, batchBytes } = chunk;
    const known = this.#parts.get(keyOf(hub, batch));
    const isContradiction =
      known !== undefined && (known.total !== total || known.batchBytes !== batchBytes);
    if (isContradiction) this.drop(hub, batch);
    const isNew = known === undefined || isContradiction;
    const evicted = isNew ? this.#makeRoom(hub, batchBytes) : [];
    const part = isNew ? this.#begin(hub, batch, chunk) : known;
    part.touched = this.#touches++;
    const chunks = this.#chunksOf(part);
    if (!chunks.has(chunk.index)) {
      this.#write(part, chunk);
      chunks.add(chunk.index);
    }
    return { kind: 'kept', isComplete: chunks.isFull, evicted, isContradiction };
  }

  /** Which chunks of a batch are here; undefined where none ever came. */
  have(hub: Origin, batch: BatchId): ChunkBitmap | undefined {
    const part = this.#parts.get(keyOf(hub, batch));
    return part === undefined ? undefined : this.#chunksOf(part);
  }

  /** Batches of a hub that have begun to come. */
  batchesOf(hub: Origin): BatchId[] {
    return [...this.#parts.values()].filter((part) => part.hub === hub).map((part) => part.batch);
  }

  /** The one of them whose id begins so. */
  named(hub: Origin, ref: BatchRef): NamedBatch | undefined {
    for (const { hub: from, batch, batchBytes } of this.#parts.values()) {
      if (from === hub && batch.startsWith(ref)) return { batch, batchBytes };
    }
    return undefined;
  }

  /** Complete batches, as they are found after a restart. */
  complete(): { hub: Origin; batch: BatchId }[] {
    return [...this.#parts.values()]
      .filter((part) => this.#chunksOf(part).isFull)
      .map(({ hub, batch }) => ({ hub, batch }));
  }

  /** The whole batch, once it is complete. */
  read(hub: Origin, batch: BatchId): Uint8Array | undefined {
    const part = this.#parts.get(keyOf(hub, batch));
    if (part === undefined || !this.#chunksOf(part).isFull) return undefined;
    const slots = this.#files.read(this.#path(part)) ?? new Uint8Array();
    const whole = new Uint8Array(part.batchBytes);
    for (let index = 0; index < part.total; index++) {
      const span = chunkSpan(part, index);
      const at = slotAt(part, index) + HASH_BYTES;
      whole.set(slots.subarray(at, at + span.to - span.from), span.from);
    }
    return whole;
  }

  drop(hub: Origin, batch: BatchId): void {
    const part = this.#parts.get(keyOf(hub, batch));
    if (part === undefined) return;
    this.#parts.delete(keyOf(hub, batch));
    this.#files.remove(this.#path(part));
  }

  #begin(hub: Origin, batch: BatchId, { total, batchBytes }: Chunk): Part {
    const chunks = new ChunkBitmap(total);
    const part: Part = { hub, batch, total, batchBytes, chunks, touched: 0 };
    this.#files.open(this.#path(part), 'create').close();
    this.#parts.set(keyOf(hub, batch), part);
    return part;
  }

  #makeRoom(hub: Origin, bytes: number): BatchId[] {
    const evicted: BatchId[] = [];
    for (;;) {
      const own = [...this.#parts.values()].filter((part) => part.hub === hub);
      const ownBytes = own.reduce((sum, part) => sum + part.batchBytes, bytes);
      const fits = own.length < this.#limits.partsMax && ownBytes <= this.#limits.partBytesMax;
      const [oldest] = own.toSorted((a, b) => a.touched - b.touched);
      if (fits || oldest === undefined) return evicted;
      this.drop(hub, oldest.batch);
      evicted.push(oldest.batch);
    }
  }

  #write(part: Part, chunk: Chunk): void {
    const slot = new Uint8Array(HASH_BYTES + chunk.data.length);
    slot.set(chunk.hash);
    slot.set(chunk.data, HASH_BYTES);
    const file = this.#files.open(this.#path(part), 'update');
    try {
      file.writeAt(slot, slotAt(part, chunk.index));
    } finally {
      file.close();
    }
  }

  #chunksOf(part: Part): ChunkBitmap {
    part.chunks ??= this.#readBack(part);
    return part.chunks;
  }

  #readBack(part: Part): ChunkBitmap {
    const chunks = new ChunkBitmap(part.total);
    const slots = this.#files.read(this.#path(part)) ?? new Uint8Array();
    for (let index = 0; index < part.total; index++) {
      const span = chunkSpan(part, index);
      const at = slotAt(part, index);
      const hash = slots.subarray(at, at + HASH_BYTES);
      const data = slots.subarray(at + HASH_BYTES, at + HASH_BYTES + span.to - span.from);
      if (data.length === span.to - span.from && bytesEqual(hash, sha256(data))) chunks.add(index);
    }
    return chunks;
  }

  #path({ hub, batch, total, batchBytes }: Part): string {
    return `${this.#dir}/${hub}-${batch}-${total}-${batchBytes}.part`;
  }

  #adopt(name: string): void {
    const [, hubText = '', batchText = '', total, batchBytes] = NAME.exec(name) ?? [];
    const hub = originOfText(hubText);
    const batch = batchIdOfText(batchText);
    const layout = { total: Number(total), batchBytes: Number(batchBytes) };
    if (hub === undefined || batch === undefined || !isLayout(layout)) {
      this.#files.remove(`${this.#dir}/${name}`);
      return;
    }
    const part = { hub, batch, ...layout, chunks: undefined, touched: this.#touches++ };
    this.#parts.set(keyOf(hub, batch), part);
  }
}

function keyOf(hub: Origin, batch: BatchId): string {
  return `${hub}-${batch}`;
}

function slotAt(layout: ChunkLayout, index: number): number {
  return index * (HASH_BYTES + chunkBytes(layout));
}
