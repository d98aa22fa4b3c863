/**
 * The flash ledger: what the card took from this hub, by day and cause, and what that does to its life. The
 * first cause of death of a field hub is a worn-out card, long before its battery.
 *
 * The day's total is what the system says this process caused to be written (`write_bytes`); the causes are
 * what their files counted. SQLite writes past our files, so what is left over is the store's, with what the
 * file system itself adds (inodes, directories). Where the system keeps no such count, the total is the sum
 * of what is known, and the store's part is not.
 *
 * A week of days is kept in one small file, replaced once an hour and at the end: 24 pages a day, and a
 * power cut costs the count of an hour at most. Days are UTC days of the machine's clock; a clock that jumps
 * begins another day and loses nothing.
 *
 * Life is endurance by the rate of the days kept, today's included: one quiet or busy hour does not move it.
 */
import { textOf, utf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Files } from '../platform/files.ts';
import type { FlashStatus } from './snapshot.ts';

/** Files that are counted one by one; the store is what is left. */
export const FILE_CAUSES = ['journal', 'spool', 'log', 'other'] as const;
export type FileCause = (typeof FILE_CAUSES)[number];
export type FlashCause = FileCause | 'store';
export const FLASH_CAUSES: readonly FlashCause[] = ['journal', 'store', 'spool', 'log', 'other'];

/** Counters that grow from 0 at the start of the process. */
export interface FlashCounts {
  /** By the system; undefined where it keeps no count. */
  readonly processBytes: number | undefined;
  readonly fileBytes: Readonly<Record<FileCause, number>>;
  /** Bytes that devices sent. */
  readonly receivedBytes: number;
}

export interface FlashLedgerOptions {
  readonly files: Pick<Files, 'read' | 'replace'>;
  readonly path: string;
  /** Of the machine. */
  readonly clock: Clock;
  readonly counts: () => FlashCounts;
}

/** Everything that grows over a day. */
interface DaySums {
  readonly totalBytes: number;
  readonly bytesByCause: Readonly<Record<FlashCause, number>>;
  readonly receivedBytes: number;
  /** How long a hub ran on that day. */
  readonly runS: number;
}

interface Day extends DaySums {
  /** Days since 1970. */
  readonly day: number;
}

/** How often every byte of a usual card can be written, wear levelling's own share taken off. */
export const CARD_CYCLES = 1_000;
const DAYS_KEPT = 7;
const DAY_MS = 86_400_000;
const DAY_S = DAY_MS / 1_000;
const DAYS_A_YEAR = 365;
/** A rate of less than an hour says nothing about years. */
const RUN_S_MIN = 3_600;
const YEARS_MAX = 1_000;

export class FlashLedger {
  readonly #options: FlashLedgerOptions;
  /** Days that are over, oldest first. */
  #past: readonly Day[];
  /** What today had when `#base` was taken. */
  #carried: DaySums;
  #today: number;
  #base: DaySums;

  constructor(options: FlashLedgerOptions) {
    this.#options = options;
    this.#today = dayOf(options.clock.wallMs());
    const days = savedDays(options);
    this.#carried = days.find(({ day }) => day === this.#today) ?? NOTHING;
    this.#past = days.filter(({ day }) => day !== this.#today);
    // Counters begin with the process: what opening cost is today's.
    this.#base = { ...NOTHING, runS: this.#sums().runS };
  }

  /** `diskBytes`: size of the card. */
  status(diskBytes: number): FlashStatus {
    this.#turnDay();
    const { totalBytes, bytesByCause, receivedBytes } = this.#todaySums();
    const { processBytes } = this.#options.counts();
    return {
      bytesToday: totalBytes,
      byCause: { ...bytesByCause, store: processBytes === undefined ? null : bytesByCause.store },
      receivedToday: receivedBytes,
      amplification: receivedBytes === 0 ? null : round(totalBytes / receivedBytes, 100),
      lifeYears: this.#lifeYears(diskBytes),
    };
  }

  /** Keeps the days. A card that refuses has other worries, which its journal reports. */
  save(): void {
    this.#turnDay();
    const days = [...this.#past, { day: this.#today, ...this.#todaySums() }];
    try {
      this.#options.files.replace(this.#options.path, utf8(`${JSON.stringify({ days })}\n`));
    } catch {
      // The next hour tries again; until then the count lives in memory.
    }
  }

  #lifeYears(diskBytes: number): number | null {
    return lifeYearsOf([...this.#past, this.#todaySums()], diskBytes);
  }

  #turnDay(): void {
    const today = dayOf(this.#options.clock.wallMs());
    if (today === this.#today) return;
    const ended = { day: this.#today, ...this.#todaySums() };
    this.#past = [...this.#past.filter(({ day }) => day !== today), ended].slice(1 - DAYS_KEPT);
    this.#carried = NOTHING;
    this.#today = today;
    this.#base = this.#sums();
  }

  #todaySums(): DaySums {
    return combined(this.#carried, 1, combined(this.#sums(), -1, this.#base));
  }

  /** Since the start of the process. */
  #sums(): DaySums {
    const { processBytes, fileBytes, receivedBytes } = this.#options.counts();
    const knownBytes = FILE_CAUSES.reduce((sum, cause) => sum + fileBytes[cause], 0);
    const store = Math.max(0, (processBytes ?? 0) - knownBytes);
    return {
      totalBytes: knownBytes + store,
      bytesByCause: { ...fileBytes, store },
      receivedBytes,
      runS: this.#options.clock.monotonicMs() / 1_000,
    };
  }
}

/** What the file alone says, of a hub that stands still; `diskBytes`: size of the card. */
export function savedLifeYears(
  files: Pick<Files, 'read'>,
  path: string,
  diskBytes: number,
): number | null {
  return lifeYearsOf(savedDays({ files, path }), diskBytes);
}

function lifeYearsOf(days: readonly DaySums[], diskBytes: number): number | null {
  const bytes = days.reduce((sum, day) => sum + day.totalBytes, 0);
  const runS = days.reduce((sum, day) => sum + day.runS, 0);
  if (bytes === 0 || diskBytes === 0) return null;
  const bytesADay = (bytes * DAY_S) / Math.max(runS, RUN_S_MIN);
  return Math.min(YEARS_MAX, round((diskBytes * CARD_CYCLES) / bytesADay / DAYS_A_YEAR, 10));
}

const NOTHING: DaySums = {
  totalBytes: 0,
  bytesByCause: { journal: 0, store: 0, spool: 0, log: 0, other: 0 },
  receivedBytes: 0,
  runS: 0,
};

/** `a + sign * b`; nothing falls below 0 (a page that was counted late would show as less than before). */
function combined(a: DaySums, sign: 1 | -1, b: DaySums): DaySums {
  const sum = (x: number, y: number): number => Math.max(0, x + sign * y);
  const causes = FLASH_CAUSES.map((cause) => [
    cause,
    sum(a.bytesByCause[cause], b.bytesByCause[cause]),
  ]);
  return {
    totalBytes: sum(a.totalBytes, b.totalBytes),
    bytesByCause: Object.fromEntries(causes) as Record<FlashCause, number>,
    receivedBytes: sum(a.receivedBytes, b.receivedBytes),
    runS: sum(a.runS, b.runS),
  };
}

function dayOf(wallMs: number): number {
  return Math.floor(wallMs / DAY_MS);
}

function round(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}

/** What the file says; nothing where it is damaged, absent, or of another shape. */
function savedDays({ files, path }: { files: Pick<Files, 'read'>; path: string }): Day[] {
  try {
    const value: unknown = JSON.parse(textOf(files.read(path) ?? new Uint8Array()) ?? '');
    const days = (value as { days?: unknown } | null)?.days;
    return Array.isArray(days) ? days.filter((day: unknown) => isDay(day)).slice(-DAYS_KEPT) : [];
  } catch {
    return [];
  }
}

function isDay(value: unknown): value is Day {
  if (typeof value !== 'object' || value === null) return false;
  const { day, totalBytes, receivedBytes, runS, bytesByCause } = value as Partial<Day>;
  const causes: Partial<Record<FlashCause, number>> = bytesByCause ?? {};
  const figures = [day, totalBytes, receivedBytes, runS, ...FLASH_CAUSES.map((it) => causes[it])];
  return figures.every((figure) => Number.isFinite(figure) && (figure as number) >= 0);
}
