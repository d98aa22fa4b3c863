/**
 * How much of the event loop folding takes while the journal grows.
 *
 * - A little behind, a twentieth: a burst of some seconds gets the loop to itself and is folded afterwards, also where
 *   folding could keep up with it.
 * - Further behind, what folding needs to keep up, and half as much again, where that is to be had: it is known how
 *   fast the journal grows and how fast slices fold.
 * - Where it is not to be had, the more the further behind, so that it catches up before the journal is full.
 *
 * Rests come out longer than asked: timers are late, turns of the loop are long, and the store is made durable in between.
 * What was too long is taken off the rests that follow; otherwise folding would get half its share on a slow card.
 */
import type { Lsn } from '../journal-port.ts';

/** A slice that has just ended. */
interface Slice {
  readonly startMs: number;
  readonly endMs: number;
  /** Entries that are durable, and those that are folded. */
  readonly durableLsn: Lsn;
  readonly appliedLsn: Lsn;
}

const LITTLE_SHARE = 1 / 20;
/** A little is what came within these seconds, and at least and at most so many entries. */
const LITTLE_LAG_S = 8;
const LITTLE_LAG_LEAST = 200_000;
const LITTLE_LAG_MOST = 1_400_000;
/** More than this folding does not take to keep up: sockets and commits need the rest. */
const KEEP_UP_SHARE_MAX = 0.8;
/** Of what folding needs to stay as far behind as it is. */
const CATCH_UP_FACTOR = 1.5;
/** Where it cannot keep up, by how far behind it is. */
const BURST_SHARES: readonly { readonly lagMax: number; readonly share: number }[] = [
  { lagMax: 1_000_000, share: LITTLE_SHARE },
  { lagMax: 2_000_000, share: 1 / 5 },
  { lagMax: 4_000_000, share: 1 / 2 },
];
/** Too long a rest is made up for up to here; a pause of the store is shorter, on a card that is not ill. */
const SPARE_MS_MAX = 1_000;
/** Too short a rest is made up for only where rounding made it so: one that was left out had its reason. */
const ROUNDING_MS = 1;
/** Over how long growth and folding are measured: a flush is many slices long. */
const PERIOD_MS = 2_000;

export class FoldingShare {
  /** The slice behind which the period began, and how long slices took since. */
  #start: Slice | undefined;
  #slicesMs = 0;
  /** Share that keeps the lag as it is; infinite before it was measured. */
  #needed = Number.POSITIVE_INFINITY;
  #littleLag = LITTLE_LAG_LEAST;
  /** When the last slice ended, and how long a rest it should have had; below zero where earlier ones were too long. */
  #restsFromMs: number | undefined;
  #wantedMs = 0;

  /** How long to rest behind the slice that has just ended, in whole milliseconds. */
  restAfter(slice: Slice): number {
    this.#measure(slice);
    const restedMs = slice.startMs - (this.#restsFromMs ?? slice.startMs);
    const spareMs = restedMs - this.#wantedMs;
    const tookMs = slice.endMs - slice.startMs;
    const restMs = tookMs / this.#shareFor(slice) - tookMs;
    this.#wantedMs = restMs - Math.min(SPARE_MS_MAX, Math.max(-ROUNDING_MS, spareMs));
    this.#restsFromMs = slice.endMs;
    return Math.max(0, Math.round(this.#wantedMs));
  }

  /** Of the time until the next slice ends, the part that the slice may be. */
  #shareFor(slice: Slice): number {
    const lag = slice.durableLsn - slice.appliedLsn;
    if (lag <= this.#littleLag) return LITTLE_SHARE;
    if (this.#needed <= KEEP_UP_SHARE_MAX) {
      return Math.min(KEEP_UP_SHARE_MAX, Math.max(LITTLE_SHARE, this.#needed * CATCH_UP_FACTOR));
    }
    return BURST_SHARES.find(({ lagMax }) => lag <= lagMax)?.share ?? 1;
  }

  #measure(slice: Slice): void {
    const start = (this.#start ??= slice);
    if (start !== slice) this.#slicesMs += slice.endMs - slice.startMs;
    const periodMs = slice.endMs - start.endMs;
    if (periodMs < PERIOD_MS) return;
    const grown = slice.durableLsn - start.durableLsn;
    const folded = slice.appliedLsn - start.appliedLsn;
    const little = (grown / periodMs) * 1_000 * LITTLE_LAG_S;
    this.#littleLag = Math.min(LITTLE_LAG_MOST, Math.max(LITTLE_LAG_LEAST, little));
    if (folded > 0) this.#needed = (grown / folded) * (this.#slicesMs / periodMs);
    this.#start = slice;
    this.#slicesMs = 0;
  }
}
