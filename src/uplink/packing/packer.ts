/** Where the ops of a batch are packed: here (in-place.ts) or in a thread (apart.ts). The same entries give the same bytes. */
import type { Compression } from '../../batch/compression.ts';
import type { PackedOps } from '../../batch/pack-batch.ts';
import type { Encoding } from '../../batch/payload.ts';
import type { OpClass } from '../../model/class.ts';

export interface PackOrder {
  readonly class: OpClass;
  readonly encoding: Encoding;
  readonly compression: Compression;
}

export interface Packer {
  begin(order: PackOrder): Packing;
  /** Ends what is under way; nothing is begun any more. */
  close(): void;
}

/** One batch, being packed. */
export interface Packing {
  /** So many entries, or so many bytes of them, take about an eighth of a millisecond to take in. */
  readonly step: { readonly entries: number; readonly bytes: number };
  /** Takes the journal's entry of an op in, which lies there in `bytes`; they are not held on to. */
  add(bytes: Uint8Array, start: number, end: number): void;
  /** Rejects with a `PackerGone` where the packer broke under it. */
  finish(): Promise<PackedOps>;
  /** Nothing will come of it. */
  drop(): void;
}

/** The thread is gone, for whatever reason; what it had is still in the journal. */
export class PackerGone extends Error {}
