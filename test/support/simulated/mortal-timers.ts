/** Timers of one process in simulated time: none of them runs after its death. */
import type { Cancel, Timers } from '../../../src/base/clock.ts';
import type { SimClock } from '../../../src/platform/sim/clock.ts';

export class MortalTimers implements Timers {
  readonly #clock: SimClock;
  #isDead = false;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  die(): void {
    this.#isDead = true;
  }

  after(delayMs: number, callback: () => void): Cancel {
    return this.#clock.after(delayMs, this.#whileAlive(callback));
  }

  every(periodMs: number, callback: () => void): Cancel {
    return this.#clock.every(periodMs, this.#whileAlive(callback));
  }

  soon(callback: () => void): Cancel {
    return this.#clock.soon(this.#whileAlive(callback));
  }

  #whileAlive(callback: () => void): () => void {
    return () => {
      if (!this.#isDead) callback();
    };
  }
}
