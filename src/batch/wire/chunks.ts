/**
 * A batch in chunks (BATCH.md §4): each at most 64 KiB, of equal size but the last, with its index, the count, the
 * bytes of the whole and its own hash. The place of a chunk follows from these, so that any chunk can be written
 * where it belongs, in any order, and a bitmap says all there is to say about what is missing.
 */
import { assert } from '../../base/assert.ts';
import { bytesEqual } from '../../base/bytes.ts';
import { CborError, CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { sha256 } from '../../hashes.ts';
import {
  BATCH_BYTES_MAX,
  CHUNK_DATA_BYTES_MAX,
  CHUNK_MESSAGE_BYTES_MAX,
  CHUNKS_MAX,
} from '../limits.ts';

export interface ChunkLayout {
  readonly total: number;
  /** Bytes of the whole batch. */
  readonly batchBytes: number;
}

export interface Chunk extends ChunkLayout {
  readonly index: number;
  readonly data: Uint8Array;
  readonly hash: Uint8Array;
}

/** Chunks of at most `dataBytesMax`, or of as much more as it takes to be no more than `CHUNKS_MAX`. */
export function layoutOf(batchBytes: number, dataBytesMax = CHUNK_DATA_BYTES_MAX): ChunkLayout {
  assert(dataBytesMax <= CHUNK_DATA_BYTES_MAX, 'chunks have a limit');
  const dataBytes = Math.max(dataBytesMax, Math.ceil(batchBytes / CHUNKS_MAX));
  return { total: Math.ceil(batchBytes / dataBytes), batchBytes };
}

/** Bytes of every chunk but the last. */
export function chunkBytes(layout: ChunkLayout): number {
  return Math.ceil(layout.batchBytes / layout.total);
}

export function chunkSpan(layout: ChunkLayout, index: number): { from: number; to: number } {
  const size = chunkBytes(layout);
  return { from: index * size, to: Math.min((index + 1) * size, layout.batchBytes) };
}

/** The message that carries chunk `index`, whose `data` is its span of the batch. */
export function encodeChunk(data: Uint8Array, layout: ChunkLayout, index: number): Uint8Array {
  const span = chunkSpan(layout, index);
  assert(index < layout.total && data.length === span.to - span.from, 'a chunk of the batch');
  const writer = new CborWriter(data.length + 64);
  writer.array(5).uint(index).uint(layout.total).uint(layout.batchBytes);
  return writer.bytes(sha256(data)).bytes(data).finish();
}

type ChunkOutcome =
  | { readonly kind: 'chunk'; readonly chunk: Chunk }
  | { readonly kind: 'invalid'; readonly reason: string };

/** Reads a chunk message; its data aliases the input. */
export function parseChunk(message: Uint8Array): ChunkOutcome {
  if (message.length > CHUNK_MESSAGE_BYTES_MAX) return invalid('too large');
  try {
    const reader = new CborReader(message, 0, { depthMax: 1, itemsMax: 6 });
    reader.expectArray(5);
    const index = reader.uint();
    const layout = { total: reader.uint(), batchBytes: reader.uint() };
    const hash = reader.bytes();
    const data = reader.bytes();
    if (!reader.atEnd) return invalid('bytes after the end');
    if (!isLayout(layout) || index >= layout.total) return invalid('impossible layout');
    const span = chunkSpan(layout, index);
    if (data.length !== span.to - span.from) return invalid('wrong length');
    if (!bytesEqual(hash, sha256(data))) return invalid('wrong hash');
    return { kind: 'chunk', chunk: { ...layout, index, data, hash } };
  } catch (error) {
    if (error instanceof CborError) return invalid(error.message);
    throw error;
  }
}

function invalid(reason: string): ChunkOutcome {
  return { kind: 'invalid', reason };
}

/** True where `total` chunks of equal size hold the bytes, none empty, none too large. */
export function isLayout(layout: ChunkLayout): boolean {
  if (layout.batchBytes === 0 || layout.batchBytes > BATCH_BYTES_MAX) return false;
  if (layout.total === 0 || layout.total > CHUNKS_MAX) return false;
  const size = chunkBytes(layout);
  return size <= CHUNK_DATA_BYTES_MAX && Math.ceil(layout.batchBytes / size) === layout.total;
}

/** One bit a chunk, the first in the highest bit of the first byte. */
export class ChunkBitmap {
  readonly total: number;
  readonly #bits: Uint8Array;
  #count = 0;

  constructor(total: number) {
    assert(total > 0 && total <= CHUNKS_MAX, 'chunks have a limit');
    this.total = total;
    this.#bits = new Uint8Array(Math.ceil(total / 8));
  }

  /** Undefined where the bytes do not fit the count, or set bits beyond it. */
  static fromBytes(total: number, bytes: Uint8Array): ChunkBitmap | undefined {
    if (total === 0 || total > CHUNKS_MAX || bytes.length !== Math.ceil(total / 8))
      return undefined;
    const bitmap = new ChunkBitmap(total);
    for (let index = 0; index < bytes.length * 8; index++) {
      if (((bytes[index >> 3] as number) & (0x80 >> (index & 7))) === 0) continue;
      if (index >= total) return undefined;
      bitmap.add(index);
    }
    return bitmap;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.total;
  }

  has(index: number): boolean {
    return ((this.#bits[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0;
  }

  /** Those that are not there, in order. */
  missing(): number[] {
    return Array.from({ length: this.total }, (_, index) => index).filter((at) => !this.has(at));
  }

  add(index: number): void {
    assert(index < this.total, 'a chunk of the batch');
    if (this.has(index)) return;
    this.#bits[index >> 3] = (this.#bits[index >> 3] as number) | (0x80 >> (index & 7));
    this.#count += 1;
  }

  toBytes(): Uint8Array {
    return this.#bits.slice();
  }
}
