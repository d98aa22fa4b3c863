/**
 * The hub's own idea of the time: right as long as a time source speaks, 1970 after a boot without one, and wrong
 * by a jump where somebody sets it. The monotonic clock is the world's and never notices.
 */
import type { Clock, ClockQuality } from '../../base/clock.ts';

export class HubClock implements Clock {
  readonly #world: Clock;
  #offsetMs = 0;
  #quality: ClockQuality = 'ntp';

  constructor(world: Clock) {
    this.#world = world;
  }

  wallMs(): number {
    return this.#world.wallMs() + this.#offsetMs;
  }

  monotonicMs(): number {
    return this.#world.monotonicMs();
  }

  quality(): ClockQuality {
    return this.#quality;
  }

  /** A boot without battery-backed clock and without network. */
  forget(): void {
    this.#offsetMs = -this.#world.wallMs();
    this.#quality = 'unknown';
  }

  jump(byMs: number): void {
    this.#offsetMs += byMs;
  }

  /** A time source was reached. */
  repair(): void {
    this.#offsetMs = 0;
    this.#quality = 'ntp';
  }
}
