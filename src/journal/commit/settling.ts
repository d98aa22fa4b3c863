/** Waits for company: some turns of the event loop, while entries come in each. No timer is involved. */
import type { Timers } from '../../base/clock.ts';
import type { Lsn } from '../format.ts';

const TURNS_MAX = 8;

export class Settling {
  readonly #timers: Timers;
  readonly #nextLsn: () => Lsn;
  readonly #onEnd: () => void;
  #turns = 0;
  #seen: Lsn = 0;
  #isRunning = false;

  constructor(timers: Timers, nextLsn: () => Lsn, onEnd: () => void) {
    this.#timers = timers;
    this.#nextLsn = nextLsn;
    this.#onEnd = onEnd;
  }

  /** Ends at the end of this turn at the earliest; while it runs, nothing happens. */
  begin(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#turns = 0;
    this.#wait();
  }

  #wait(): void {
    this.#seen = this.#nextLsn();
    this.#timers.soon(this.#turn);
  }

  readonly #turn = (): void => {
    this.#turns += 1;
    if (this.#nextLsn() > this.#seen && this.#turns < TURNS_MAX) return this.#wait();
    this.#isRunning = false;
    this.#onEnd();
  };
}
