/**
 * Wall time for deciding what is old enough to go. What went cannot come back, so a leap ahead of more than a day is not believed at
 * once: time goes on from where it was, until the new one has held for `holdMs`. A clock that falls back is believed: it costs
 * nothing but room. Leaps are seen against the monotonic clock, so only those within a run.
 */
import type { Clock } from './clock.ts';

const LEAP_MS = 86_400_000;

export class CautiousWall {
  readonly #clock: Clock;
  readonly #holdMs: number;
  /** What wall time is ahead of the monotonic clock, as believed. */
  #offsetMs: number | undefined;
  /** Monotonic time of the leap that is not believed yet. */
  #leaptMs: number | undefined;

  constructor(clock: Clock, holdMs: number) {
    this.#clock = clock;
    this.#holdMs = holdMs;
  }

  /** Undefined while nobody has set the clock. To be asked for more often than every `holdMs`. */
  nowMs(): number | undefined {
    if (this.#clock.quality() === 'unknown') return undefined;
    const ms = this.#clock.monotonicMs();
    const wallMs = this.#clock.wallMs();
    const offsetMs = wallMs - ms;
    const believedMs = this.#offsetMs ?? offsetMs;
    if (offsetMs - believedMs <= LEAP_MS) this.#leaptMs = undefined;
    else {
      this.#leaptMs ??= ms;
      if (ms - this.#leaptMs < this.#holdMs) return believedMs + ms;
      this.#leaptMs = undefined;
    }
    this.#offsetMs = offsetMs;
    return wallMs;
  }
}
