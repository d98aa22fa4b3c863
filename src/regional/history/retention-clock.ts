/**
 * What time it is for letting go of old things. A regional node whose clock jumps years ahead must not take all that it has
 * for old: so retention counts from the newest moment that a hub with a set clock has told, and never from later than the
 * own clock says. Both would have to be wrong in the same way.
 *
 * Where no hub tells a time, the own clock counts alone after a day, so that nothing grows for good.
 */
import type { Clock } from '../../base/clock.ts';
import type { Manifest } from '../../batch/manifest.ts';

const ALONE_AFTER_MS = 86_400_000;
/** The end of the year 9999: who tells later times tells nothing. */
const TOLD_MS_MAX = 253_402_300_799_999;

export class RetentionClock {
  readonly #clock: Clock;
  readonly #sinceMs: number;
  #toldMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  /** Takes note of when a hub says that it sealed a batch. */
  note({ createdMs, quality }: Pick<Manifest, 'createdMs' | 'quality'>): void {
    if (quality === 'unknown' || createdMs > TOLD_MS_MAX) return;
    this.#toldMs = Math.max(createdMs, this.#toldMs ?? 0);
  }

  /** What is older than this by more than its days may go; undefined where nobody can tell. */
  nowMs(): number | undefined {
    if (this.#clock.quality() === 'unknown') return undefined;
    const ownMs = this.#clock.wallMs();
    if (this.#toldMs !== undefined) return Math.min(ownMs, this.#toldMs);
    return this.#clock.monotonicMs() - this.#sinceMs < ALONE_AFTER_MS ? undefined : ownMs;
  }

  /** The best guess, where nothing is lost by a wrong one. */
  likelyMs(): number {
    const ownMs = this.#clock.wallMs();
    if (this.#toldMs === undefined) return ownMs;
    return this.#clock.quality() === 'unknown' ? this.#toldMs : Math.min(ownMs, this.#toldMs);
  }

  /** The latest moment that may be now: what is said to be later is wrong. */
  latestMs(): number {
    return Math.max(this.#clock.wallMs(), this.#toldMs ?? 0);
  }
}
