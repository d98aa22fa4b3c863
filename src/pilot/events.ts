/** The last things that happened, for whoever has to find out why a pilot failed. */
import type { Clock } from '../base/clock.ts';
import { isoTime } from '../base/iso-time.ts';
import type { Log, LogFields } from '../base/log.ts';

const KEPT = 40;

export class EventLog implements Log {
  readonly #clock: Pick<Clock, 'wallMs'>;
  #lines: string[] = [];

  constructor(clock: Pick<Clock, 'wallMs'>) {
    this.#clock = clock;
  }

  /** Newest last. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  debug(): void {
    // What is only for developers is not worth a line here.
  }

  info(event: string, fields?: LogFields): void {
    this.note(event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.note(event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.note(event, fields);
  }

  note(event: string, fields: LogFields = {}): void {
    const line = `${isoTime(this.#clock.wallMs())} ${event} ${JSON.stringify(fields)}`;
    this.#lines = [...this.#lines.slice(1 - KEPT), line];
  }
}

/** A promise was broken, or the program failed, in simulated time. */
export class PilotFailure extends Error {
  override readonly name = 'PilotFailure';
  readonly atMs: number;
  readonly events: readonly string[];

  constructor(message: string, atMs: number, events: readonly string[], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.atMs = atMs;
    this.events = events;
  }
}
