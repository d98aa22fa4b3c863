/**
 * Moments of a device's ops: each later than those before it and than what its user saw, however wrong the own clock is.
 * The hub's time counts for more than the own.
 */
import type { Clock } from '../../base/clock.ts';
import { DRIFT_MS_MAX, type Hlc, HlcClock } from '../../model/hlc.ts';

export class Moments {
  readonly #clock: Clock;
  #hlc: HlcClock;
  /** The hub's time at the zero of the own monotonic clock. */
  #hubZeroMs = -Infinity;

  constructor(clock: Clock, last: Hlc) {
    this.#clock = clock;
    this.#hlc = new HlcClock(clock, last);
  }

  get last(): Hlc {
    return this.#hlc.last;
  }

  next(): Hlc {
    return this.#hlc.next();
  }

  /** A moment that counts in what the hub gives: what is made from now on is later. */
  observe(hlc: Hlc): void {
    this.#hlc.observe(hlc, this.#hubZeroMs + this.#clock.monotonicMs());
  }

  /** The same, of what is shown without a hub: there is nobody to ask what time it is. */
  follow(hlc: Hlc): void {
    this.#hlc.observe(hlc, hlc.ms);
  }

  /**
   * What time it is for the hub. Where the own moments are far ahead of it and of the own clock, that was wrong and is so no
   * more: then they begin anew, if `allIsThere`: what was made then counts by its stamps, which are all in the past. True where they do.
   */
  heardTime(hlc: Hlc, allIsThere: boolean): boolean {
    this.#hubZeroMs = hlc.ms - this.#clock.monotonicMs();
    const nowMs = Math.max(hlc.ms, this.#clock.wallMs());
    const isAhead = this.#hlc.last.ms > nowMs + DRIFT_MS_MAX;
    if (!isAhead) this.follow(hlc);
    else if (allIsThere) this.#hlc = new HlcClock(this.#clock, hlc);
    return isAhead && allIsThere;
  }
}
