/**
 * When the state is kept: soon after it has changed, but it is written as a whole, so never for more than a small part of the
 * time. A device that catches up with a busy site would else spend most of it on writing what the next second overtakes. What a crash
 * costs is pulled again.
 */
import type { Cancel, Clock, Timers } from '../../base/clock.ts';

interface SavingOptions {
  readonly save: () => Promise<void>;
  /** Whether something waits for it that should not. */
  readonly isPressing: () => boolean;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Pick<Timers, 'after'>;
}

const SAVE_MS = 1_000;
/** Of the time, one part in so many. */
const SHARE = 20;

export class Saving {
  readonly #options: SavingOptions;
  #cancel: Cancel | undefined;
  #last: Promise<void> = Promise.resolve();
  /** Not before this moment, unless it is pressing. */
  #dueMs = 0;

  constructor(options: SavingOptions) {
    this.#options = options;
  }

  soon(): void {
    const { timers, clock, isPressing } = this.#options;
    this.#cancel ??= timers.after(SAVE_MS, () => {
      this.#cancel = undefined;
      if (clock.monotonicMs() >= this.#dueMs || isPressing()) void this.now();
      else this.soon();
    });
  }

  /** One after the other: an older state never takes the place of a newer one. */
  async now(): Promise<void> {
    const before = this.#last;
    const saving = this.#after(before);
    this.#last = saving;
    await saving;
  }

  stop(): void {
    this.#cancel?.();
  }

  async #after(before: Promise<void>): Promise<void> {
    const { clock, save } = this.#options;
    await before;
    const beganMs = clock.monotonicMs();
    await save();
    const endedMs = clock.monotonicMs();
    this.#dueMs = endedMs + (endedMs - beganMs) * SHARE;
  }
}
