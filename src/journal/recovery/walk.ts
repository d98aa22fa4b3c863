/**
 * Steps through the blocks of one segment in order of LSN, and says at every place where it cannot go on what
 * that means (recovery.ts). Recovery, cursors, the scrub and `journal verify` all read by this, so they agree on what is
 * damaged.
 */
import { must, unreachable } from '../../base/assert.ts';
import type { Block, BlockReader } from '../block-reader.ts';
import { BLOCKS_START, type Lsn } from '../format.ts';
import { decide, SEAM_ROWS, type SeamEvidence } from './recovery.ts';

/** How far a segment goes. The walk looks anew at every step, because the newest one grows. */
export interface SegmentBounds {
  readonly sizeBytes: number;
  /** No intact block of interest ends behind it. */
  readonly endOffset: number;
  /** Every LSN below it was durable; 0 where that is not known. */
  readonly untilLsn: Lsn;
  /** True where the segment may hold blocks from `untilLsn` on: the journal's tail, at an open. */
  readonly isOpen: boolean;
}

export interface Damage {
  readonly offset: number;
  readonly endOffset: number;
  /** First and last LSN that were lost. */
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
}

export type Step =
  | { readonly kind: 'block'; readonly block: Block }
  /** The walk goes on behind it. */
  | { readonly kind: 'damage'; readonly damage: Damage }
  /** Damaged bytes that held no entry. */
  | { readonly kind: 'scar'; readonly offset: number; readonly endOffset: number }
  | { readonly kind: 'end'; readonly torn: boolean };

const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export class SegmentWalk {
  readonly #reader: BlockReader;
  readonly #bounds: SegmentBounds;
  #nextLsn: Lsn;
  #offset: number;
  #closed = false;

  /** Begins at the block that starts at `offset` with `nextLsn`. */
  constructor(reader: BlockReader, bounds: SegmentBounds, nextLsn: Lsn, offset = BLOCKS_START) {
    this.#reader = reader;
    this.#bounds = bounds;
    this.#nextLsn = nextLsn;
    this.#offset = offset;
  }

  /** The LSN that the walk expects next. */
  get nextLsn(): Lsn {
    return this.#nextLsn;
  }

  get offset(): number {
    return this.#offset;
  }

  /** True where the last block was the mark of a close. */
  get closed(): boolean {
    return this.#closed;
  }

  next(): Step {
    const bounds = this.#bounds;
    if (!bounds.isOpen && this.#nextLsn >= bounds.untilLsn) return { kind: 'end', torn: false };
    const block = this.#reader.read(this.#offset, bounds.endOffset);
    if (block === undefined || block.firstLsn !== this.#nextLsn) return this.#seam();
    this.#nextLsn += block.count;
    this.#offset = block.endOffset;
    this.#closed = block.count === 0;
    return { kind: 'block', block };
  }

  #seam(): Step {
    const bounds = this.#bounds;
    const offset = this.#offset;
    const found = this.#reader.find({
      fromOffset: offset,
      endOffset: bounds.endOffset,
      leastLsn: this.#nextLsn,
      untilLsn: bounds.isOpen ? NO_LIMIT : bounds.untilLsn,
    });
    const evidence: SeamEvidence = {
      here: this.#reader.lookAt(offset, bounds.sizeBytes),
      same: found === undefined ? 'none' : found.firstLsn === this.#nextLsn ? 'expected' : 'above',
      later: this.#nextLsn < bounds.untilLsn ? 'above' : bounds.isOpen ? 'none' : 'reached',
    };
    const action = decide(SEAM_ROWS, evidence);
    switch (action) {
      case 'next-segment':
      case 'end':
      case 'cut':
        return { kind: 'end', torn: action === 'cut' };
      case 'damage-to-block': {
        const { offset: foundAt, firstLsn } = must(found, 'the row needs a block');
        return this.#damage(foundAt, firstLsn);
      }
      case 'damage-to-end':
        return this.#damage(bounds.endOffset, bounds.untilLsn);
      case 'scar':
        this.#offset = must(found, 'the row needs a block').offset;
        return { kind: 'scar', offset, endOffset: this.#offset };
      default:
        return unreachable(action);
    }
  }

  #damage(endOffset: number, untilLsn: Lsn): Step {
    const damage = { offset: this.#offset, endOffset, fromLsn: this.#nextLsn, toLsn: untilLsn - 1 };
    this.#offset = endOffset;
    this.#nextLsn = untilLsn;
    return { kind: 'damage', damage };
  }
}
