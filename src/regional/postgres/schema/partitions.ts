/**
 * Partitions by month. Readings lie by their own time, which a hub without a clock may set to 1970: only months that can
 * be true have a partition, all else lies in the default one. Old months go as a whole.
 */
import type { Clock } from '../../../base/clock.ts';
import { isoTime } from '../../../base/iso-time.ts';
import { effectiveHlc } from '../../../model/hlc.ts';
import { EVENT, type StampedOp } from '../../../model/op.ts';
import type { Database } from '../../../platform/network/postgres.ts';

const FIRST_YEAR = 2020;
const DAY_MS = 86_400_000;

export class Partitions {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #made = new Set<string>();

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Sees to it that the events have their months. */
  async makeFor(entries: readonly StampedOp[]): Promise<void> {
    const latest = monthOf(this.#clock.wallMs() + 31 * DAY_MS);
    const days = new Set<number>();
    for (const { op, stamp } of entries) {
      if (op.kind === EVENT) days.add(Math.floor(effectiveHlc(op.hlc, stamp.hlc).ms / DAY_MS));
    }
    const months = new Set([...days].map((day) => monthOf(day * DAY_MS)));
    for (const each of months) {
      // Years beyond 9999 are longer, and none of ours.
      const isOurs = each.length === latest.length && each >= `${FIRST_YEAR}-01` && each <= latest;
      if (isOurs) await this.#make('reading', each);
    }
    await this.#make('batch', monthOf(this.#clock.wallMs()));
  }

  /** Drops the months that ended more than so many days ago, receipts of batches that are gone with them. */
  async prune(days: { readonly readings: number; readonly batches: number }): Promise<void> {
    for (const [table, keptDays] of [
      ['reading', days.readings],
      ['batch', days.batches],
    ] as const) {
      const oldest = monthOf(this.#clock.wallMs() - keptDays * DAY_MS).replace('-', '');
      const rows = await this.#database.query(
        `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = ('heliograph.' || $1)::regclass AND c.relname ~ '_[0-9]{6}$'`,
        [table],
      );
      for (const { name } of rows) {
        const month = (name as string).slice(-6);
        if (month < oldest)
          await this.#database.query(`DROP TABLE IF EXISTS heliograph.${table}_${month}`);
      }
    }
    this.#made.clear();
  }

  async #make(table: 'reading' | 'batch', month: string): Promise<void> {
    const name = `${table} ${month}`;
    if (this.#made.has(name)) return;
    await this.#database.query('SELECT heliograph.ensure_month($1, $2::date)', [
      table,
      `${month}-01`,
    ]);
    this.#made.add(name);
  }
}

/** `2026-03`; later years than 9999 are longer. */
function monthOf(ms: number): string {
  return isoTime(ms).split('-').slice(0, -1).join('-');
}
