/**
 * Fills the segment in use with zeros, a little ahead of its blocks, where it began as a hole: at a start without a file to
 * be used again devices need not wait for megabytes of zeros, and a site that writes little is spared them. The zeros reach
 * the card with a later block's sync.
 */
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { OpenFile } from '../platform/files/files.ts';
import type { Segment } from './segment.ts';

export interface GrowthOptions {
  readonly log: Log;
  readonly segment: Segment;
  readonly file: OpenFile;
  /** Bytes at its beginning that are no hole. */
  readonly filledBytes: number;
  onWritten(bytes: number): void;
}

/** Filled at once, when less than so much is left ahead of the blocks. */
const SLICE_BYTES = 256 * 1024;

export class SegmentGrowth {
  readonly #options: GrowthOptions;
  #filledBytes: number;

  constructor(options: GrowthOptions) {
    this.#options = options;
    this.#filledBytes = options.filledBytes;
  }

  /** The next block goes to `offset` of `segment`. */
  advance(segment: Segment, offset: number): void {
    if (segment !== this.#options.segment || this.#filledBytes - offset > SLICE_BYTES) return;
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
