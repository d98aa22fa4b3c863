/**
 * The block that gathers. Entries are copied once, into the place where they will be written from: the head goes
 * before them and the head of the rest behind them, so that one write carries a whole group.
 */
import { must } from '../../base/assert.ts';
import {
  BLOCK_HEAD_BYTES,
  ENTRY_HEAD_BYTES_MAX,
  finishBlock,
  type Lsn,
  putEntry,
  REST_HEAD_BYTES,
  scanEntry,
} from '../format.ts';
import { pack } from '../payload.ts';
import type { Sealer } from '../sealer.ts';
import type { Segment } from '../segments/segment.ts';

const FIRST_BYTES = 64 * 1024;
/** A group up to this size is searched for an entry. */
const SEARCHED_BYTES_MAX = 1 << 20;

export class Group {
  /** Bytes of the block so far, its head included. */
  usedBytes = BLOCK_HEAD_BYTES;
  #bytes = new Uint8Array(FIRST_BYTES);
  /** The same block, sealed: kept, because new memory for each costs more than the seal. */
  #sealed = new Uint8Array(0);

  /** `usedBytes` plus an entry's own length may go up to here without `reserve`. */
  get freeUntil(): number {
    return this.#bytes.length - ENTRY_HEAD_BYTES_MAX - REST_HEAD_BYTES;
  }

  get isEmpty(): boolean {
    return this.usedBytes === BLOCK_HEAD_BYTES;
  }

  /** Makes room so that `usedBytes` may grow to `bytes`. */
  reserve(bytes: number): void {
    const needed = bytes + ENTRY_HEAD_BYTES_MAX + REST_HEAD_BYTES;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.usedBytes));
    this.#bytes = grown;
  }

  /** The caller has looked at `freeUntil`. */
  put(entry: Uint8Array): void {
    this.usedBytes = putEntry(this.#bytes, this.usedBytes, entry);
  }

  /** The entries so far; their bytes are valid until the group changes. */
  *entries(): Generator<Uint8Array> {
    for (let at = BLOCK_HEAD_BYTES; at < this.usedBytes;) {
      const { start, end } = must(scanEntry(this.#bytes, at), 'a group holds whole entries');
      yield this.#bytes.subarray(start, end);
      at = end;
    }
  }

  /** The entry behind `index` others; undefined where there is none, or so many that the search would take long. */
  entryAt(index: number): Uint8Array | undefined {
    if (this.usedBytes > SEARCHED_BYTES_MAX) return undefined;
    let before = index;
    for (const entry of this.entries()) if (before-- === 0) return entry;
    return undefined;
  }

  /** The entries so far as they lie in the block; valid until the group changes. */
  payload(): Uint8Array {
    return this.#bytes.subarray(BLOCK_HEAD_BYTES, this.usedBytes);
  }

  /** Takes entries that are encoded already, as they come out of another block. */
  putPayload(payload: Uint8Array): void {
    this.reserve(this.usedBytes + payload.length);
    this.#bytes.set(payload, this.usedBytes);
    this.usedBytes += payload.length;
  }

  /**
   * The bytes to write at `offset` of the segment, before anything else is done here, and how many of them are the block
   * itself. `packs`: small counts for more than quick.
   */
  seal(
    sealer: Sealer,
    segment: Pick<Segment, 'header' | 'sizeBytes'>,
    offset: number,
    { packs, ...lsns }: { firstLsn: Lsn; count: number; packs: boolean },
  ): { bytes: Uint8Array; blockBytes: number } {
    const entries = this.payload();
    const plain = (packs ? pack(entries) : undefined) ?? entries;
    const sealed = sealer.seal(segment.header.epoch, segment.header.segment, lsns.firstLsn, plain);
    let bytes = this.#bytes;
    if (sealed !== entries) {
      const needed = BLOCK_HEAD_BYTES + sealed.length + REST_HEAD_BYTES;
      if (this.#sealed.length < needed) this.#sealed = new Uint8Array(2 * needed);
      bytes = this.#sealed;
      bytes.set(sealed, BLOCK_HEAD_BYTES);
    }
    const head = { tag: segment.header.crc, ...lsns, payloadBytes: sealed.length };
    const writeBytes = finishBlock(bytes, head, offset, segment.sizeBytes);
    return { bytes: bytes.subarray(0, writeBytes), blockBytes: BLOCK_HEAD_BYTES + sealed.length };
  }

  clear(): void {
    this.usedBytes = BLOCK_HEAD_BYTES;
  }
}
