/**
 * Fills the segment in use with zeros, ahead of its blocks, where it began as a hole: at a start without a file to be
 * used again devices need not wait for megabytes of zeros. The zeros reach the card with the blocks; a block is
 * never written over, because both are written in one turn of the event loop each, and the block's place is asked for first.
 */
import type { Timers } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { OpenFile } from '../platform/files/files.ts';
import type { Segment } from './segment.ts';

export interface GrowthOptions {
  readonly timers: Timers;
  readonly log: Log;
  readonly segment: Segment;
  readonly file: OpenFile;
  /** Bytes at its beginning that are no hole. */
  readonly filledBytes: number;
  /** Where the next block goes; undefined once blocks go elsewhere and the file is not ours any more. */
  offset(): number | undefined;
  onWritten(bytes: number): void;
  onEnd(): void;
}

const PAUSE_MS = 10;
/** The next block's sync takes these along, and should not wait long for them. */
const SLICE_BYTES = 64 * 1024;

export class SegmentGrowth {
  readonly #options: GrowthOptions;
  #filledBytes: number;
  #stopped = false;

  private constructor(options: GrowthOptions) {
    this.#options = options;
    this.#filledBytes = options.filledBytes;
  }

  static start(options: GrowthOptions): SegmentGrowth {
    const growth = new SegmentGrowth(options);
    growth.#soon();
    return growth;
  }

  stop(): void {
    this.#stopped = true;
  }

  #soon(): void {
    this.#options.timers.after(PAUSE_MS, () => {
      if (!this.#stopped) this.#grow();
    });
  }

  #grow(): void {
    const { segment, file, log } = this.#options;
    const from = Math.max(this.#filledBytes, this.#options.offset() ?? segment.sizeBytes);
    const count = Math.min(SLICE_BYTES, segment.sizeBytes - from);
    if (count <= 0) {
      this.#options.onEnd();
      return;
    }
    try {
      file.fillZeros(from, count);
    } catch (error) {
      // The hole stays; whether blocks find a place in it is seen when they come.
      log.warn('journal.not-filled', { file: segment.path, reason: messageOf(error) });
    }
    this.#options.onWritten(count);
    this.#filledBytes = from + count;
    this.#soon();
  }
}
