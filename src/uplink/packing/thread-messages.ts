/**
 * What is said between the hub and the thread that packs its batches. Entries travel many at a time, each behind its length, 4
 * bytes.
 */
import type { PackedOps } from '../../batch/pack-batch.ts';
import type { PackOrder } from './packer.ts';

export type ToPackThread =
  | { readonly type: 'begin'; readonly batch: number; readonly order: PackOrder }
  | { readonly type: 'entries'; readonly batch: number; readonly piece: Uint8Array }
  | { readonly type: 'finish'; readonly batch: number }
  | { readonly type: 'drop'; readonly batch: number };

export type FromPackThread =
  | { readonly type: 'packed'; readonly batch: number; readonly packed: PackedOps }
  | { readonly type: 'failed'; readonly batch: number; readonly reason: string };

const LENGTH_BYTES = 4;

/** Entries on their way into a piece. */
export class PieceWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #length = 0;

  /** With room for so many bytes of entries and lengths. */
  constructor(bytes: number) {
    this.#bytes = new Uint8Array(bytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** What an entry of so many bytes takes. */
  static room(entryBytes: number): number {
    return LENGTH_BYTES + entryBytes;
  }

  hasRoomFor(entryBytes: number): boolean {
    return this.#length + PieceWriter.room(entryBytes) <= this.#bytes.length;
  }

  /** Byte by byte: for a hundred of them that is as fast as `set`, which needs a view of them. */
  add(bytes: Uint8Array, start: number, end: number): void {
    this.#view.setUint32(this.#length, end - start);
    let to = this.#length + LENGTH_BYTES;
    for (let from = start; from < end; from++) this.#bytes[to++] = bytes[from] as number;
    this.#length = to;
  }

  /** Good until it is cleared. */
  piece(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }
}

/** Says where each entry of a piece lies. */
export function eachEntry(piece: Uint8Array, take: (start: number, end: number) => void): void {
  const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
  for (let at = 0; at < piece.length;) {
    const end = at + LENGTH_BYTES + view.getUint32(at);
    take(at + LENGTH_BYTES, end);
    at = end;
  }
}
