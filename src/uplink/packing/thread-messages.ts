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

  /** What an entry takes. */
  static room(entry: Uint8Array): number {
    return LENGTH_BYTES + entry.length;
  }

  hasRoomFor(entry: Uint8Array): boolean {
    return this.#length + PieceWriter.room(entry) <= this.#bytes.length;
  }

  add(entry: Uint8Array): void {
    this.#view.setUint32(this.#length, entry.length);
    this.#bytes.set(entry, this.#length + LENGTH_BYTES);
    this.#length += PieceWriter.room(entry);
  }

  /** Good until it is cleared. */
  piece(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }
}

/** Gives each entry of a piece, which alias it. */
export function eachEntry(piece: Uint8Array, take: (entry: Uint8Array) => void): void {
  const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
  for (let at = 0; at < piece.length;) {
    const end = at + LENGTH_BYTES + view.getUint32(at);
    take(piece.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
}
