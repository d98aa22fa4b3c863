/** A disk or a database that takes nothing for now: told once a minute, for while it lasts each chunk of each hub meets it. */
import type { Clock } from '../../base/clock.ts';
import { HubError, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';

const TOLD_MS = 60_000;

interface Told {
  readonly atMs: number;
  /** How often since then. */
  more: number;
}

export class Trouble {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #told = new Map<string, Told>();

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  note(event: 'regional.database' | 'regional.disk', error: unknown): void {
    const nowMs = this.#clock.monotonicMs();
    const told = this.#told.get(event);
    if (told !== undefined && nowMs - told.atMs < TOLD_MS) {
      told.more += 1;
      return;
    }
    const fault = error instanceof HubError ? { code: error.code, hint: error.hint } : {};
    const again = told === undefined || told.more === 0 ? {} : { again: told.more };
    this.#log.error(event, { reason: messageOf(error), ...fault, ...again });
    this.#told.set(event, { atMs: nowMs, more: 0 });
  }
}
