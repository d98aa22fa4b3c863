/**
 * How long the card takes for a sync, and what follows for a group that gathers.
 *
 * Devices with a window of messages send the next ones when the last are acknowledged. A group that waits for all of them
 * leaves the card idle while it gathers, and the event loop while it syncs. Where a sync is quick it pays to let a part of
 * them go ahead: card and event loop work side by side, each group half as long in both. Where it is slow, the fewest syncs win.
 */
import type { Clock } from '../../base/clock.ts';

/** Syncs that end in less are quick. */
const QUICK_MS = 1.5;
/** Least of a group that goes ahead: half of what twenty meters with one message each on the way bring. */
const AHEAD_BYTES_MIN = 2 * 1024;
/** The mean follows the last so many syncs, and the median is theirs. */
const SMOOTHING = 8;
/** Devices wait, and cards that wear out begin like this. */
const SLOW_MS = 1_000;
/** A single sync that takes so long need not end before that is said. */
const STALLED_MS = 3_000;

export class SyncPace {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #startMs = 0;
  #isRunning = false;
  #totalMs = 0;
  #meanMs = 10;
  readonly #lastMs = new Float64Array(SMOOTHING);
  #syncs = 0;
  #groupBytes = 0;
  #aheadBytes = AHEAD_BYTES_MIN;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  began(groupBytes: number): void {
    this.#groupBytes = groupBytes;
    this.#startMs = this.#clock.monotonicMs();
    this.#isRunning = true;
  }

  /** `waitingBytes` have gathered meanwhile: two groups of the same size keep both sides busy. */
  ended(waitingBytes: number): void {
    this.#aheadBytes = Math.max(AHEAD_BYTES_MIN, (this.#groupBytes + waitingBytes) / 2);
    const tookMs = this.#clock.monotonicMs() - this.#startMs;
    this.#isRunning = false;
    this.#totalMs += tookMs;
    this.#meanMs += (tookMs - this.#meanMs) / SMOOTHING;
    this.#lastMs[this.#syncs % SMOOTHING] = tookMs;
    this.#syncs += 1;
  }

  /** How long all syncs took together. */
  get totalMs(): number {
    return this.#totalMs;
  }

  /**
   * What a sync takes, where that is too long for those who wait for it; else undefined. One that took a minute may be
   * a process that was stopped for a minute: more than half of them say what the card is like.
   */
  get slowMs(): number | undefined {
    const runningMs = this.#isRunning ? this.#clock.monotonicMs() - this.#startMs : 0;
    if (runningMs >= STALLED_MS) return runningMs;
    const usualMs = this.#lastMs.toSorted()[SMOOTHING / 2 - 1] as number;
    return usualMs >= SLOW_MS ? usualMs : undefined;
  }

  /** A group of so many bytes goes down, whoever may follow. */
  get aheadBytes(): number {
    return this.#meanMs < QUICK_MS ? this.#aheadBytes : Number.POSITIVE_INFINITY;
  }
}
