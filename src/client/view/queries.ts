/** Questions about records, and who wants to hear when an answer changes. */
import type { Cancel, Timers } from '../../base/clock.ts';
import { placeOf } from '../../base/halving.ts';
import type { RecordState } from '../../merge/record.ts';
import { calling } from './listeners.ts';
import { decodeValue, type Value } from './values.ts';
import type { View } from './view.ts';

export interface RecordRow {
  readonly key: string;
  readonly fields: Readonly<Record<string, Value>>;
  readonly counters: Readonly<Record<string, number>>;
  /** Own ops on it that the hub has not proven to have. */
  readonly pending: number;
  /** Open conflicts. */
  readonly conflicts: number;
}

export interface Query {
  /** Beginning of the key; all records by default. */
  readonly prefix?: string;
  readonly where?: (row: RecordRow) => boolean;
  /** By key where it is left out. */
  readonly compare?: (a: RecordRow, b: RecordRow) => number;
  readonly limit?: number;
}

interface Observer {
  readonly query: Query;
  readonly onRows: (rows: readonly RecordRow[]) => void;
}

export class Queries {
  readonly #view: View;
  readonly #timers: Timers;
  readonly #observers = new Set<Observer>();
  readonly #stale = new Set<Observer>();
  /** Rows as they were asked for last; null where nothing lives. */
  readonly #rows = new Map<string, RecordRow | null>();
  #cancel: Cancel | undefined;

  constructor(view: View, timers: Timers) {
    this.#view = view;
    this.#timers = timers;
  }

  row(key: string): RecordRow | undefined {
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.#read(key);
      this.#rows.set(key, row);
    }
    return row ?? undefined;
  }

  run({ prefix = '', where, compare, limit = Infinity }: Query): RecordRow[] {
    let rows: RecordRow[] = [];
    for (const key of this.#view.keys(prefix)) {
      const row = this.row(key);
      if (row === undefined || where?.(row) === false) continue;
      rows.push(row);
      if (compare === undefined && rows.length >= limit) return rows;
    }
    if (compare !== undefined) rows = rows.toSorted(compare);
    return rows.slice(0, Math.min(limit, rows.length));
  }

  observe(query: Query, onRows: Observer['onRows']): Cancel {
    onRows(this.run(query));
    const observer = { query, onRows };
    this.#observers.add(observer);
    return () => {
      this.#observers.delete(observer);
      this.#stale.delete(observer);
    };
  }

  /** Observers of these keys hear of it once, when the turn is over. */
  changed(keys: Iterable<string>): void {
    const sorted = [...keys].toSorted((a, b) => (a < b ? -1 : 1));
    for (const key of sorted) this.#rows.delete(key);
    for (const observer of this.#observers) {
      const { prefix = '' } = observer.query;
      const first = sorted[placeOf(sorted, (key) => key < prefix)];
      if (first?.startsWith(prefix) === true) this.#stale.add(observer);
    }
    if (this.#stale.size > 0) this.#cancel ??= this.#timers.soon(() => this.#tell());
  }

  close(): void {
    this.#cancel?.();
    this.#observers.clear();
    this.#stale.clear();
  }

  #read(key: string): RecordRow | null {
    const record = this.#view.record(key);
    if (record.fields.size === 0 && record.counters.size === 0) return null;
    return rowOf(key, record, this.#view.pending(key), this.#view.disputes(key).length);
  }

  #tell(): void {
    this.#cancel = undefined;
    const stale = [...this.#stale];
    this.#stale.clear();
    for (const observer of stale) {
      // One that was called before it may have let go of this one.
      if (!this.#observers.has(observer)) continue;
      calling(this.#timers, () => observer.onRows(this.run(observer.query)));
    }
  }
}

function rowOf(
  key: string,
  { fields, counters }: RecordState,
  pending: number,
  conflicts: number,
): RecordRow {
  return {
    key,
    fields: Object.fromEntries(
      // The nameless field is the record's asset.
      [...fields]
        .filter(([name]) => name !== '')
        .map(([name, { value }]) => [name, decodeValue(value)]),
    ),
    counters: Object.fromEntries([...counters].map(([name, { total }]) => [name, Number(total)])),
    pending,
    conflicts,
  };
}
