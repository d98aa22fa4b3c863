/**
 * The flash ledger: what the card took from this hub, by day and cause, and what that does to its life. The
 * first cause of death of a field hub is a worn-out card, long before its battery.
 *
 * What each part writes is counted where it writes: pages by its files (platform/files/counting-files.ts), frames and
 * pages of SQLite by the store. The system's own count (`write_bytes` of the process) stands beside it, with the
 * file system's share in it, but is not the measure: since Linux keeps large folios in its page cache, one
 * synced block of 200 bytes counts as up to 2 MiB there, while the card takes 4 KiB.
 *
 * A week of days is kept in one small file, replaced once an hour and at the end: 24 pages a day, and a
 * power cut costs the count of an hour at most. Days are UTC days of the machine's clock; a clock that jumps
 * begins another day and loses nothing.
 *
 * Life is endurance by the rate of the days kept, today's included: one quiet or busy hour does not move it.
 */
import { textOf, utf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Files } from '../platform/files/files.ts';
import type { FlashStatus } from './snapshot.ts';

export const FLASH_CAUSES = ['journal', 'store', 'spool', 'log', 'assets', 'other'] as const;
export type FlashCause = (typeof FLASH_CAUSES)[number];
type BytesByCause = Readonly<Record<FlashCause, number>>;

/** Counters that grow from 0 at the start of the process. */
export interface FlashCounts {
  readonly bytesByCause: BytesByCause;
  /** By the system; undefined where it keeps no count. */
  readonly systemBytes: number | undefined;
  /** Bytes that devices sent. */
  readonly receivedBytes: number;
}

interface FlashLedgerOptions {
  readonly files: Pick<Files, 'read' | 'replace'>;
  readonly path: string;
  /** Of the machine. */
  readonly clock: Clock;
  readonly counts: () => FlashCounts;
}

/** Everything that grows over a day. */
interface DaySums {
  readonly bytesByCause: BytesByCause;
  readonly systemBytes: number;
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

/** Below this, what the hub writes for itself (a fresh segment is zeroed) says nothing about devices. */
const RECEIVED_BYTES_MIN = 1_000_000;

export class FlashLedger {
  readonly #options: FlashLedgerOptions;
  /** Days that are over, oldest first. */
  #past: readonly Day[];
  /** What today had when `#base` was taken. */
  #carried: DaySums = NOTHING;
  #today: number;
  #base: DaySums;

  constructor(options: FlashLedgerOptions) {
    this.#options = options;
    this.#today = dayOf(options.clock.wallMs());
    this.#past = savedDays(options);
    this.#takeUpToday();
    // Counters begin with the process: what opening cost is today's.
    this.#base = { ...NOTHING, runS: this.#sums().runS };
  }

  /** `diskBytes`: size of the card. */
  status(diskBytes: number): FlashStatus {
    this.#turnDay();
    const sums = this.#todaySums();
    const { bytesByCause, receivedBytes, systemBytes } = sums;
    const bytesToday = totalOf(sums);
    const isCounted = this.#options.counts().systemBytes !== undefined;
    return {
      bytesToday,
      byCause: bytesByCause,
      systemBytesToday: isCounted ? systemBytes : null,
      receivedToday: receivedBytes,
      amplification:
        receivedBytes < RECEIVED_BYTES_MIN ? null : round(bytesToday / receivedBytes, 100),
      lifeYears: lifeYearsOf([...this.#past, sums], diskBytes),
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

  #turnDay(): void {
    const today = dayOf(this.#options.clock.wallMs());
    if (today === this.#today) return;
    this.#past = [...this.#past, { day: this.#today, ...this.#todaySums() }];
    this.#today = today;
    this.#takeUpToday();
    this.#past = this.#past.slice(1 - DAYS_KEPT);
    this.#base = this.#sums();
  }

  /** Goes on with a day that has been before: a restart, a clock that was set back. */
  #takeUpToday(): void {
    this.#carried = this.#past.find(({ day }) => day === this.#today) ?? NOTHING;
    this.#past = this.#past.filter(({ day }) => day !== this.#today);
  }

  #todaySums(): DaySums {
    return combined(this.#carried, 1, combined(this.#sums(), -1, this.#base));
  }

  /** Since the start of the process. */
  #sums(): DaySums {
    const { systemBytes = 0, ...counts } = this.#options.counts();
    return { ...counts, systemBytes, runS: this.#options.clock.monotonicMs() / 1_000 };
  }
}

function totalOf({ bytesByCause }: DaySums): number {
  return FLASH_CAUSES.reduce((sum, cause) => sum + bytesByCause[cause], 0);
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
  const bytes = days.reduce((sum, day) => sum + totalOf(day), 0);
  const runS = days.reduce((sum, day) => sum + day.runS, 0);
  if (bytes === 0 || diskBytes === 0) return null;
  const bytesADay = (bytes * DAY_S) / Math.max(runS, RUN_S_MIN);
  return Math.min(YEARS_MAX, round((diskBytes * CARD_CYCLES) / bytesADay / DAYS_A_YEAR, 10));
}

const NOTHING: DaySums = {
  bytesByCause: { journal: 0, store: 0, spool: 0, log: 0, assets: 0, other: 0 },
  systemBytes: 0,
  receivedBytes: 0,
  runS: 0,
};

/** `a + sign * b`; nothing falls below 0. */
function combined(a: DaySums, sign: 1 | -1, b: DaySums): DaySums {
  const sum = (x: number, y: number): number => Math.max(0, x + sign * y);
  const causes = FLASH_CAUSES.map((cause) => [
    cause,
    sum(a.bytesByCause[cause], b.bytesByCause[cause]),
  ]);
  return {
    bytesByCause: Object.fromEntries(causes) as Record<FlashCause, number>,
    systemBytes: sum(a.systemBytes, b.systemBytes),
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
    return Array.isArray(days) ? days.filter(isDay).slice(-DAYS_KEPT) : [];
  } catch {
    return [];
  }
}

function isDay(value: unknown): value is Day {
  if (typeof value !== 'object' || value === null) return false;
  const { day, systemBytes, receivedBytes, runS, bytesByCause } = value as Partial<Day>;
  const causes: Partial<Record<FlashCause, number>> = bytesByCause ?? {};
  const figures = [day, systemBytes, receivedBytes, runS, ...FLASH_CAUSES.map((it) => causes[it])];
  return figures.every((figure) => Number.isFinite(figure) && (figure as number) >= 0);
}
