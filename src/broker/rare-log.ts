/** Log lines about what clients do wrong: one for each event in ten seconds, so that a flood cannot fill the disk. */
import type { Clock } from '../base/clock.ts';
import type { Log, LogFields } from '../base/log.ts';

const QUIET_MS = 10_000;

export class RareLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #lastByEvent = new Map<string, { atMs: number; suppressed: number }>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Writes a warning, or counts it towards the `suppressed` of the next one. */
  warn(event: string, fields: LogFields): void {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#lastByEvent.get(event);
    if (last !== undefined && nowMs - last.atMs < QUIET_MS) {
      last.suppressed += 1;
      return;
    }
    const suppressed = last?.suppressed ?? 0;
    this.#lastByEvent.set(event, { atMs: nowMs, suppressed: 0 });
    this.#log.warn(event, suppressed === 0 ? fields : { ...fields, suppressed });
  }
}
