/**
 * The service log: stable dotted events with fields that carry their units, one JSON line each. Never
 * per message. (The power-aware sync log is a different thing: power/log/sync-log.ts.)
 */
import type { Clock } from './clock.ts';
import { isoTime } from './iso-time.ts';

type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A log that writes JSON lines to `sink` (each without its line end), from `least` on. */
export function createLog(clock: Clock, least: LogLevel, sink: (line: string) => void): Log {
  const write = (level: LogLevel, event: string, fields: LogFields = {}): void => {
    if (RANK[level] < RANK[least]) return;
    const at = isoTime(clock.wallMs());
    sink(JSON.stringify({ at, level, event, ...fields }));
  };
  return {
    debug: (event, fields) => write('debug', event, fields),
    info: (event, fields) => write('info', event, fields),
    warn: (event, fields) => write('warn', event, fields),
    error: (event, fields) => write('error', event, fields),
  };
}

export const SILENT_LOG: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Where a flood of the same mistake must not fill the disk: one line for each event in `quietMs`. */
export class RareLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #quietMs: number;
  readonly #lastByEvent = new Map<string, { atMs: number; suppressed: number }>();

  constructor(log: Log, clock: Clock, quietMs: number) {
    this.#log = log;
    this.#clock = clock;
    this.#quietMs = quietMs;
  }

  /** Writes a warning, or counts it towards the `suppressed` of the next one. */
  warn(event: string, fields: LogFields): void {
    this.#write('warn', event, fields);
  }

  /** The same for an error. */
  error(event: string, fields: LogFields): void {
    this.#write('error', event, fields);
  }

  #write(level: 'warn' | 'error', event: string, fields: LogFields): void {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#lastByEvent.get(event);
    if (last !== undefined && nowMs - last.atMs < this.#quietMs) {
      last.suppressed += 1;
      return;
    }
    const suppressed = last?.suppressed ?? 0;
    this.#lastByEvent.set(event, { atMs: nowMs, suppressed: 0 });
    this.#log[level](event, suppressed === 0 ? fields : { ...fields, suppressed });
  }
}
