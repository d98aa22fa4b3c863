/**
 * Partitions by month. Readings lie by their own time, which a hub without a clock may set to 1970: only months that
 * are kept have a partition, all else lies in the default one, and goes from there so many days after it came. Old months go as
 * a whole.
 *
 * A month comes and goes under locks that a reader is in the way of, and others wait behind whoever waits for them. `pg_dump` reads for hours:
 * so it is tried for a moment, and again with the next tidying. What comes meanwhile lies in the default partition.
 */
import { isoTime } from '../../../base/iso-time.ts';
import { effectiveHlc } from '../../../model/hlc.ts';
import { EVENT, type StampedOp } from '../../../model/op.ts';
import { type Database, isHeldUp, type PgValue } from '../../../platform/network/postgres.ts';
import type { RetentionClock } from '../../history/retention-clock.ts';
import { DROP_KEPT, DROP_STORED, MEND_KEPT, MEND_STORED, monthsIn } from './retention.ts';

/** How long readings, and batches as they came, stay. */
export interface KeepDays {
  readonly readings: number;
  readonly batches: number;
}

/** Months from the first to the last, ends included. */
interface Window {
  readonly first: string;
  readonly last: string;
}

const TABLES = ['reading', 'batch'] as const;
type Table = (typeof TABLES)[number];

/** Beginning of 2020: who tells earlier times has no clock. */
const DATED_FROM_MS = 1_577_836_800_000;
const DAY_MS = 86_400_000;
/** A month is there so long before it begins. */
const AHEAD_DAYS = 7;
const MAKE = 'SELECT heliograph.ensure_month($1, $2::date)';
/** How long a lock is waited for. */
const HOLD_UP = "SET LOCAL lock_timeout = '500ms'";

export class Partitions {
  readonly #database: Database;
  readonly #clock: RetentionClock;
  readonly #keepDays: Record<Table, number>;
  /** Months that were made, or tried, since the last tidying. */
  readonly #seenTo = new Set<string>();

  constructor(database: Database, clock: RetentionClock, keepDays: KeepDays) {
    this.#database = database;
    this.#clock = clock;
    this.#keepDays = { reading: keepDays.readings, batch: keepDays.batches };
  }

  /** Sees to it that the events have their months. */
  async makeFor(entries: readonly StampedOp[]): Promise<void> {
    const days = new Set<number>();
    for (const { op, stamp } of entries) {
      if (op.kind === EVENT) days.add(Math.floor(effectiveHlc(op.hlc, stamp.hlc).ms / DAY_MS));
    }
    const window = this.#window('reading');
    const months = new Set([...days].map((day) => monthOf(day * DAY_MS)));
    for (const each of months) if (isWithin(each, window)) await this.#make('reading', each);
    await this.#make('batch', monthOf(this.#clock.likelyMs()));
  }

  /**
   * Drops the months that ended longer ago than they are kept, and what lies in the default partitions for as long; what has its
   * month by now moves there. Nothing goes where nobody knows the time.
   */
  async tidy(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    if (nowMs === undefined) return;
    const database = this.#database;
    const latest = isoTime(this.#clock.latestMs());
    for (const statement of [MEND_KEPT, ...MEND_STORED]) await database.query(statement, [latest]);
    this.#seenTo.clear();
    for (const table of TABLES) {
      await this.#make(table, monthOf(nowMs + AHEAD_DAYS * DAY_MS));
      await this.#sortIn(table);
      await this.#dropMonths(table);
    }
    const oldest = (table: Table): string[] => [isoTime(nowMs - this.#keepDays[table] * DAY_MS)];
    for (let gone = 1; gone > 0;) {
      const [row] = await database.query(DROP_KEPT, oldest('reading'));
      gone = Number(row?.['count'] ?? 0);
    }
    await database.query(DROP_STORED, oldest('batch'));
  }

  async #sortIn(table: Table): Promise<void> {
    const { first, last } = this.#window(table);
    const ends = [`${first}-01T00:00:00Z`, `${last}-28T00:00:00Z`];
    for (const { month } of await this.#database.query(monthsIn(table), ends)) {
      await this.#make(table, month as string);
    }
  }

  async #dropMonths(table: Table): Promise<void> {
    const oldest = this.#window(table).first.replace('-', '');
    const rows = await this.#database.query(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = ('heliograph.' || $1)::regclass AND c.relname ~ '_[0-9]{6}$'`,
      [table],
    );
    for (const { name } of rows) {
      const month = (name as string).slice(-6);
      if (month < oldest)
        await this.#unlessHeldUp(`DROP TABLE IF EXISTS heliograph.${table}_${month}`);
    }
  }

  /** Months that have a partition of their own. */
  #window(table: Table): Window {
    const nowMs = this.#clock.likelyMs();
    const first = monthOf(Math.max(DATED_FROM_MS, nowMs - this.#keepDays[table] * DAY_MS));
    return { first, last: monthOf(nowMs + 31 * DAY_MS) };
  }

  async #make(table: Table, month: string): Promise<void> {
    const name = `${table} ${month}`;
    if (this.#seenTo.has(name)) return;
    await this.#unlessHeldUp(MAKE, [table, `${month}-01`]);
    this.#seenTo.add(name);
  }

  /** In a transaction of its own; nothing where somebody is in its way. */
  async #unlessHeldUp(statement: string, values: readonly PgValue[] = []): Promise<void> {
    try {
      await this.#database.transaction(async (sql) => {
        await sql.query(HOLD_UP);
        await sql.query(statement, values);
      });
    } catch (error) {
      if (!isHeldUp(error)) throw error;
    }
  }
}

/** `2026-03`; later years than 9999 are longer. */
function monthOf(ms: number): string {
  return isoTime(ms).split('-').slice(0, -1).join('-');
}

/** Years beyond 9999 are longer, and none of ours. */
function isWithin(month: string, { first, last }: Window): boolean {
  return month.length === last.length && month >= first && month <= last;
}
