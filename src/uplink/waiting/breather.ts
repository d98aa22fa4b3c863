/**
 * Long work in slices, so that nobody waits for it: after a millisecond others have their turn, or after so many steps where no
 * time passes (simulated, or measured too coarsely). By time alone slow hardware and code that runs for the first time are as
 * polite as the rest; by steps alone they would take forty times as long.
 *
 * While devices publish, slices are shorter, others have half of the time at least, and publishes that wait for the card are
 * answered first.
 */
import { type Cancel, type Clock, pause, type Timers, turn } from '../../base/clock.ts';
import type { Lsn } from '../ports.ts';

export interface BreatherOptions {
  readonly journal: { readonly lastLsn: Lsn; readonly durableLsn: Lsn };
  /** Measures slices. */
  readonly clock: Clock;
  readonly timers: Timers;
}

const SLICE_MS = 1;
/** Steps of a slice, each an eighth of a millisecond where the code is warm. */
const STEPS_MAX = 8;
const STEPS_MAX_BUSY = 3;
/** So long is waited for the card, and so often at most. */
const ACK_WAIT_MS = 1;
const ACK_WAITS_MAX = 4;

/**
 * For slices that nobody awaits: calls back in the next turn, and a millisecond later where publishes wait for the card. A group that
 * settles (journal/commit/settling.ts) counts turns, and each that is long brings it one more message to wait for.
 */
export function afterOthers(
  { journal, timers }: Pick<BreatherOptions, 'journal' | 'timers'>,
  callback: () => void,
): Cancel {
  const isBusy = journal.durableLsn < journal.lastLsn;
  return isBusy ? timers.after(ACK_WAIT_MS, callback) : timers.soon(callback);
}

export class Breather {
  readonly #options: BreatherOptions;
  #sinceMs = 0;
  #steps = 0;
  /** The journal's end behind the last slice, and whether it had moved since the one before. */
  #seenLsn = 0;
  #isBusy = false;

  constructor(options: BreatherOptions) {
    this.#options = options;
  }

  /** Begins a slice. */
  begin(): void {
    const { journal, clock } = this.#options;
    this.#seenLsn = journal.lastLsn;
    this.#steps = 0;
    this.#sinceMs = clock.monotonicMs();
  }

  /** After each step; what is to be waited for, where the slice is over. */
  step(): Promise<void> | undefined {
    this.#steps += 1;
    const isLong = this.#options.clock.monotonicMs() - this.#sinceMs >= SLICE_MS;
    const isOver = isLong || this.#steps >= (this.#isBusy ? STEPS_MAX_BUSY : STEPS_MAX);
    return isOver ? this.#rest() : undefined;
  }

  async #rest(): Promise<void> {
    const { journal, timers } = this.#options;
    await turn(timers);
    this.#isBusy = journal.lastLsn !== this.#seenLsn || journal.durableLsn < journal.lastLsn;
    for (let waited = 0; this.#isBusy && waited < ACK_WAITS_MAX; waited++) {
      await pause(timers, ACK_WAIT_MS);
      if (journal.durableLsn >= journal.lastLsn) break;
    }
    this.begin();
  }
}
