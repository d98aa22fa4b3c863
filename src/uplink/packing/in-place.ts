/** Packs on the event loop, in slices: small batches, all of them where there are no threads, and simulated time. */
import type { Pause } from '../../base/steps.ts';
import type { Compressor } from '../../batch/compression.ts';
import { BatchPacker, type PackedOps } from '../../batch/pack-batch.ts';
import { must } from '../../base/assert.ts';
import { OpEntryReader } from '../../model/entry.ts';
import type { Packer, Packing, PackOrder } from './packer.ts';

/** The batch's limits are watched by whoever gathers its entries. */
const UNLIMITED = { opsMax: Infinity, opBytesMax: Infinity };

export class InPlacePacker implements Packer {
  readonly #compressor: Compressor;
  readonly #pause: Pause;

  constructor(compressor: Compressor, pause: Pause) {
    this.#compressor = compressor;
    this.#pause = pause;
  }

  begin(order: PackOrder): Packing {
    return new InPlacePacking(order, this.#compressor, this.#pause);
  }

  close(): void {
    // Whoever waits for `finish` sees to it.
  }
}

export class InPlacePacking implements Packing {
  readonly step = { entries: 16, bytes: 16 << 10 };
  readonly #order: PackOrder;
  readonly #compressor: Compressor;
  readonly #pause: Pause;
  readonly #packer: BatchPacker;
  readonly #reader = new OpEntryReader();

  constructor(order: PackOrder, compressor: Compressor, pause: Pause) {
    this.#order = order;
    this.#compressor = compressor;
    this.#pause = pause;
    this.#packer = new BatchPacker(order.class, UNLIMITED, order.encoding);
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const entry = bytes.subarray(start, end);
    this.#packer.add(must(this.#reader.read(entry), 'what has a class is an op'));
  }

  finish(): Promise<PackedOps> {
    const { compression } = this.#order;
    return this.#packer.pack({ compressor: this.#compressor, compression, pause: this.#pause });
  }

  drop(): void {
    // Nothing is held but memory.
  }
}
