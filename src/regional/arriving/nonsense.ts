/** What comes from the broker and is none of ours: told at its 1st, 10th, 100th … time, so that no flood of it fills the log. */
import type { Log } from '../../base/log.ts';

const TELL_FACTOR = 10;

export class Nonsense {
  readonly #log: Log;
  #count = 0;
  #tellAt = 1;

  constructor(log: Log) {
    this.#log = log;
  }

  note(topic: string, what: string): void {
    this.#count += 1;
    if (this.#count < this.#tellAt) return;
    this.#tellAt *= TELL_FACTOR;
    this.#log.warn('regional.nonsense', { topic, what, count: this.#count });
  }
}
