/**
 * A new file begins as a hole. Blocks that find a place in it need no sync of the file system's own journal as well,
 * which costs more than a small block itself: so where blocks are small, the file is filled with zeros a little ahead of
 * them, which reach the card with a later block's sync. Where blocks are large, zeros would cost as much as the blocks: the hole stays.
 */
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { OpenFile } from '../../platform/files/files.ts';
import { BLOCKS_START } from '../format.ts';
import type { Segment } from './segment.ts';

interface GrowthOptions {
  readonly log: Log;
  readonly segment: Segment;
  readonly file: OpenFile;
  /** Bytes at its beginning that are no hole. */
  readonly filledBytes: number;
  onWritten(bytes: number): void;
}

/** Filled at once, when less than so much is left ahead of the blocks. */
const SLICE_BYTES = 256 * 1024;
/** From this size on a block goes into the hole. */
const LARGE_BLOCK_BYTES = 16 * 1024;

export class SegmentGrowth {
  readonly #options: GrowthOptions;
  #filledBytes: number;
  #offset = BLOCKS_START;

  constructor(options: GrowthOptions) {
    this.#options = options;
    this.#filledBytes = options.filledBytes;
  }

  /** A block was written, and the next one goes to `offset` of `segment`. */
  advance(segment: Segment, offset: number): void {
    if (segment !== this.#options.segment) return;
    const blockBytes = offset - this.#offset;
    this.#offset = offset;
    if (blockBytes >= LARGE_BLOCK_BYTES || this.#filledBytes - offset > SLICE_BYTES) return;
    const from = Math.max(this.#filledBytes, offset);
    const count = Math.min(SLICE_BYTES, segment.sizeBytes - from);
    if (count <= 0) return;
    this.#filledBytes = from + count;
    try {
      this.#options.file.fillZeros(from, count);
      this.#options.onWritten(count);
    } catch (error) {
      // The hole stays; whether blocks find a place in it is seen when they come.
      const reason = messageOf(error);
      this.#options.log.warn('journal.not-filled', { file: segment.path, reason });
    }
  }
}
