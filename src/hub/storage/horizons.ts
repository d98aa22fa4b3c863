/**
 * Keeps the histories of records within their limits: where one has grown too long, this hub draws a horizon through it
 * (merge/MERGE.md §10), an op of its own that goes everywhere and lets everybody forget what lies below. A few records at a
 * time, in slices of milliseconds so that nobody waits for it, once in a minute: nothing hurts where it comes late.
 */
import { HubError } from '../../base/errors.ts';
import type { Cancel, Clock, Timers } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Steps } from '../../base/steps.ts';
import type { Door } from '../../ingest/door/door.ts';
import { RECORD } from '../../model/class.ts';
import { CONTROL } from '../../model/op.ts';
import type { HistoryLimits } from '../../store/records/writes/crowding.ts';
import type { Store } from '../../store/store.ts';

interface HorizonsOptions {
  readonly store: { readonly state: Pick<Store, 'records'>; readonly fault: HubError | undefined };
  readonly door: Pick<Door, 'journalOp' | 'holes'>;
  readonly limits: HistoryLimits;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Timers;
  readonly log: Log;
  readonly periodMs?: number;
}

const PERIOD_MS = 60_000;
const SLICE_MS = 4;

export class Horizons {
  readonly #options: HorizonsOptions;
  readonly #stop: Cancel;
  /** What is under way, and when it goes on. */
  #work: Steps<void> | undefined;
  #cancel: Cancel | undefined;

  constructor(options: HorizonsOptions) {
    this.#options = options;
    this.#stop = options.timers.every(options.periodMs ?? PERIOD_MS, () => this.look());
  }

  /** Draws what is due; the records shrink when the journal's ops have been folded. */
  look(): void {
    if (this.#work !== undefined) return;
    this.#work = this.#drawAll();
    this.#slice();
  }

  readonly close = (): void => {
    this.#stop();
    this.#cancel?.();
    this.#work = undefined;
  };

  #slice(): void {
    const { clock, timers } = this.#options;
    const endMs = clock.monotonicMs() + SLICE_MS;
    while (this.#isGoingOn()) {
      if (clock.monotonicMs() < endMs) continue;
      this.#cancel = timers.soon(() => this.#slice());
      return;
    }
    this.#work = undefined;
  }

  /** Does one step; false where there is none left. */
  #isGoingOn(): boolean {
    const { store, log } = this.#options;
    if (store.fault !== undefined) return false;
    try {
      return this.#work?.next().done === false;
    } catch (error) {
      // A failing store, or a journal without room: both are reported by their owners.
      if (!(error instanceof HubError)) throw error;
      log.warn('records.horizon-failed', { code: error.code, reason: error.message });
      return false;
    }
  }

  *#drawAll(): Steps<void> {
    const { store, door, limits, log } = this.#options;
    const { records } = store.state;
    for (const [key, keep] of yield* records.crowded(limits)) {
      const body = yield* records.drawHorizon(key, keep, door.holes.closed());
      if (body === undefined) continue;
      const { lsn } = door.journalOp({ class: RECORD, key, kind: CONTROL, body });
      log.info('records.horizon', { key, keep, lsn, bytes: body.length });
    }
  }
}
