/**
 * The power-aware sync log: one JSON line for each decision or transfer, in files of limited size and
 * number. A line is written whole by one write; a power cut can tear only the last one, which is cut off
 * when the log is opened again. Lines are not synced one by one (each would cost the card an erase block):
 * a file is synced when it is full and at the end, and every line is journaled beside (class `log`).
 *
 *   <dir>/sync-00000001.jsonl   oldest … newest; whole files are removed when there are too many
 *
 * Memory is bounded by one file and by the number of lines asked for.
 */
import { textOf, utf8 } from '../../base/bytes.ts';
import type { Cancel, Clock, ClockQuality } from '../../base/clock.ts';
import { isoTime, wallMsOfIso } from '../../base/iso-time.ts';
import type { Files, OpenFile } from '../../platform/files/files.ts';
import type { PowerState } from '../govern/decision.ts';

export type SyncEvent =
  | 'decision'
  | 'session.open'
  | 'batch.sent'
  | 'batch.received'
  | 'session.close'
  | 'shed'
  | 'state'
  | 'fault';

/** The stable keys of a line, but for `at` and `clock`, which the log sets. */
export interface SyncLogEntry {
  readonly event: SyncEvent;
  readonly state?: PowerState;
  readonly socPct?: number;
  readonly socErrPct?: number;
  readonly batteryV?: number;
  readonly pvW?: number;
  readonly loadW?: number;
  readonly curtailed?: boolean;
  readonly link?: string;
  /** Names of classes. */
  readonly allowed?: readonly string[];
  readonly deferred?: Readonly<
    Record<string, { readonly reason: string; readonly until?: string }>
  >;
  readonly bytes?: number;
  readonly ops?: number;
  readonly energyWh?: number;
  /** The same by class, on lines of batches sent and of a session's end. */
  readonly whByClass?: Readonly<Record<string, number>>;
  /** What a session drew by the measured load, where there is one; `energyWh` is what it is thought to cost. */
  readonly measuredWh?: number;
  /** How long a session held the link, in seconds. */
  readonly linkOnS?: number;
  readonly backlog?: Readonly<
    Record<string, { readonly ops: number; readonly bytes: number; readonly oldestS: number }>
  >;
  readonly why?: string;
  /** The figures behind a decision, for `log --explain`. */
  readonly numbers?: Readonly<Record<string, number>>;
}

export interface SyncLogLine extends SyncLogEntry {
  /** RFC 3339, UTC, by the hub's own clock. */
  readonly at: string;
  readonly clock: ClockQuality;
}

export interface SyncLogOptions {
  readonly files: Files;
  readonly dir: string;
  readonly clock: Clock;
  readonly fileBytesMax?: number;
  readonly filesMax?: number;
}

const FILE_BYTES_MAX = 1 << 20;
const FILES_MAX = 8;
const LINES_DEFAULT = 1_000;
const LISTENERS_MAX = 256;
const LINE_FEED = 0x0a;
const NAME = /^sync-(\d{8})\.jsonl$/;

export class SyncLog {
  readonly #files: Files;
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #fileBytesMax: number;
  readonly #filesMax: number;
  readonly #listeners = new Set<(line: SyncLogLine) => void>();
  #numbers: number[];
  #file: OpenFile;
  #size: number;

  private constructor(options: SyncLogOptions, numbers: number[], file: OpenFile) {
    this.#files = options.files;
    this.#dir = options.dir;
    this.#clock = options.clock;
    this.#fileBytesMax = options.fileBytesMax ?? FILE_BYTES_MAX;
    this.#filesMax = options.filesMax ?? FILES_MAX;
    this.#numbers = numbers;
    this.#file = file;
    this.#size = file.size();
  }

  /** Opens the newest file, without the line that a crash may have torn; begins the first one where there is none. */
  static open(options: SyncLogOptions): SyncLog {
    const { files, dir } = options;
    files.makeDir(dir);
    const numbers = numbersIn(files, dir);
    const newest = numbers.at(-1);
    if (newest === undefined) {
      return new SyncLog(options, [1], files.open(pathOf(dir, 1), 'create'));
    }
    const file = files.open(pathOf(dir, newest), 'update');
    const content = files.read(pathOf(dir, newest)) ?? new Uint8Array();
    const wholeBytes = content.lastIndexOf(LINE_FEED) + 1;
    if (wholeBytes < content.length) file.truncate(wholeBytes);
    return new SyncLog(options, numbers, file);
  }

  /** Stamps, writes and hands out a line. A card that refuses costs the line its place on it, nothing else. */
  append(entry: SyncLogEntry): SyncLogLine {
    const at = isoTime(this.#clock.wallMs());
    const line: SyncLogLine = { at, clock: this.#clock.quality(), ...entry };
    const bytes = utf8(`${JSON.stringify(line)}\n`);
    try {
      if (this.#size > 0 && this.#size + bytes.length > this.#fileBytesMax) this.#rotate();
      this.#file.writeAt(bytes, this.#size);
      this.#size += bytes.length;
    } catch {
      // The journal reports the card's faults, and has its own copy of the line. The size stays: the next line overwrites what was torn.
    }
    for (const listener of this.#listeners) listener(line);
    return line;
  }

  /** The newest lines since a moment, oldest first, at most `limit`. Damaged lines are left out. */
  lines(query: { sinceMs?: number; limit?: number } = {}): SyncLogLine[] {
    const sinceMs = query.sinceMs ?? -Infinity;
    const limit = query.limit ?? LINES_DEFAULT;
    const found: SyncLogLine[][] = [];
    let count = 0;
    for (const number of this.#numbers.toReversed()) {
      if (count >= limit) break;
      const lines = parseLines(this.#files.read(pathOf(this.#dir, number)) ?? new Uint8Array());
      const recent = lines.filter((line) => (wallMsOfIso(line.at) ?? -Infinity) >= sinceMs);
      found.unshift(recent.slice(-(limit - count)));
      count += (found[0] as SyncLogLine[]).length;
      if (lines.length > 0 && recent.length === 0) break;
    }
    return found.flat();
  }

  /** Hears every line from now on. Beyond 256 listeners the oldest is dropped. */
  follow(listener: (line: SyncLogLine) => void): Cancel {
    const own = (line: SyncLogLine): void => listener(line);
    this.#listeners.add(own);
    if (this.#listeners.size > LISTENERS_MAX) {
      for (const oldest of this.#listeners) {
        this.#listeners.delete(oldest);
        break;
      }
    }
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** Bytes on the card, all files. */
  get bytes(): number {
    return (this.#numbers.length - 1) * this.#fileBytesMax + this.#size;
  }

  close(): void {
    try {
      this.#file.datasyncNow();
    } catch {
      // As in append: nothing here is worth a failing shutdown.
    }
    this.#file.close();
    this.#listeners.clear();
  }

  #rotate(): void {
    const next = (this.#numbers.at(-1) as number) + 1;
    const file = this.#files.open(pathOf(this.#dir, next), 'create');
    const full = this.#file;
    full.datasync(() => full.close());
    this.#file = file;
    this.#size = 0;
    this.#numbers = [...this.#numbers, next];
    while (this.#numbers.length > this.#filesMax) {
      this.#files.remove(pathOf(this.#dir, this.#numbers.shift() as number));
    }
  }
}

function pathOf(dir: string, number: number): string {
  return `${dir}/sync-${String(number).padStart(8, '0')}.jsonl`;
}

function numbersIn(files: Files, dir: string): number[] {
  return files
    .list(dir)
    .map((name) => NAME.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .toSorted((a, b) => a - b);
}

function parseLines(content: Uint8Array): SyncLogLine[] {
  const lines: SyncLogLine[] = [];
  let start = 0;
  for (;;) {
    const end = content.indexOf(LINE_FEED, start);
    if (end < 0) return lines; // What follows the last line feed is torn.
    const line = parseLine(content.subarray(start, end));
    if (line !== undefined) lines.push(line);
    start = end + 1;
  }
}

function parseLine(bytes: Uint8Array): SyncLogLine | undefined {
  try {
    const value: unknown = JSON.parse(textOf(bytes) ?? '');
    const isLine = typeof value === 'object' && value !== null && 'at' in value && 'event' in value;
    return isLine ? (value as SyncLogLine) : undefined;
  } catch {
    return undefined;
  }
}
