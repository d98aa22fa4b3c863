/**
 * Keeps the histories of records within their limits: where one has grown too long, this hub draws a horizon through it
 * (merge/MERGE.md §10), an op of its own that goes everywhere and lets everybody forget what lies below. A few records at a
 * time, in a quiet period of minutes: nothing hurts where it comes late.
 */
import { HubError } from '../../base/errors.ts';
import type { Timers } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Door } from '../../ingest/door.ts';
import { RECORD } from '../../model/class.ts';
import { CONTROL } from '../../model/op.ts';
import type { HistoryLimits } from '../../store/records/write-tables.ts';
import type { Store } from '../../store/store.ts';

export interface HorizonsOptions {
  readonly store: { readonly state: Pick<Store, 'records'>; readonly fault: HubError | undefined };
  readonly door: Pick<Door, 'journalOp'>;
  readonly limits: HistoryLimits;
  readonly timers: Timers;
  readonly log: Log;
  readonly periodMs?: number;
}

const PERIOD_MS = 60_000;

export class Horizons {
  readonly #options: HorizonsOptions;
  readonly close: () => void;

  constructor(options: HorizonsOptions) {
    this.#options = options;
    this.close = options.timers.every(options.periodMs ?? PERIOD_MS, () => this.look());
  }

  /** Draws what is due; the records shrink when the journal's ops have been folded. */
  look(): void {
    const { store, limits, log } = this.#options;
    if (store.fault !== undefined) return;
    try {
      for (const { key, keep } of store.state.records.crowded(limits)) this.#draw(key, keep);
    } catch (error) {
      // A failing store, or a journal without room: both are reported by their owners.
      if (!(error instanceof HubError)) throw error;
      log.warn('records.horizon-failed', { code: error.code, reason: error.message });
    }
  }

  #draw(key: string, keep: number): void {
    const { store, door, log } = this.#options;
    const body = store.state.records.drawHorizon(key, keep);
    if (body === undefined) return;
    const { lsn } = door.journalOp({ class: RECORD, key, kind: CONTROL, body });
    log.info('records.horizon', { key, keep, lsn, bytes: body.length });
  }
}
