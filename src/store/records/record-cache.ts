/**
 * The records that are being written, in memory: what decides between writes is read from the tables once, and what has changed
 * is written back once a transaction, however often it changed. Whatever reads the tables flushes first. A record has changes
 * only within an open transaction.
 */
import { utf8 } from '../../base/bytes.ts';
import type { FieldWrite } from '../../merge/record.ts';
import { encodeOrder, type WriteOrder } from '../../merge/order.ts';
import { bytesOfTotal, type Counter, type RecordState } from '../../merge/record.ts';
import { type KeyIds, nameOf } from '../database/key-ids.ts';
import { counterOf, fieldOf, orderOf } from '../database/rows.ts';
import { RowBatch } from '../database/row-batch.ts';
import type { SqliteFile } from '../database/sqlite.ts';
import { bytesOfPacked, packOrder, type PackedOrder } from './packed-order.ts';

/** Records, and bytes that they take, before older ones are put aside; twice as much lies here at most. */
const RECORDS_MAX = 16_384;
const BYTES_MAX = 8 << 20;
/** What a record takes in memory, and a field or counter of it. */
const RECORD_BYTES = 450;
const ENTRY_BYTES = 90;

/** All that stands: a tombstone has no field, a field no count of increments. */
const STANDING = `
  SELECT NULL AS field, rank, NULL AS value, NULL AS total, NULL AS adds FROM tombstones WHERE key_id = ?1
  UNION ALL SELECT field, rank, value, NULL, NULL FROM fields WHERE key_id = ?1
  UNION ALL SELECT field, NULL, NULL, total, adds FROM counters WHERE key_id = ?1`;
const PUT_FIELD = {
  insert: 'INSERT INTO fields (key_id, field, rank, value) VALUES',
  columns: 4,
  tail: 'ON CONFLICT (key_id, field) DO UPDATE SET rank = excluded.rank, value = excluded.value',
};
const PUT_TOMBSTONE = 'INSERT OR REPLACE INTO tombstones (key_id, rank) VALUES (?, ?)';
const PUT_COUNTER = {
  insert: 'INSERT OR REPLACE INTO counters (key_id, field, total, adds) VALUES',
  columns: 4,
};

const NO_COUNTERS: ReadonlyMap<string, Counter> = new Map();
const DROP_FIELD = 'DELETE FROM fields WHERE key_id = ? AND field = ?';
const DROP_COUNTER = 'DELETE FROM counters WHERE key_id = ? AND field = ?';

export interface CachedRecord {
  readonly id: number;
  tombstone: WriteOrder | undefined;
  /** What decides whether a write prevails. The values lie in the table, or among the changes. */
  orders: Map<string, PackedOrder>;
  counters: Map<string, Counter> | undefined;
  changes: Changes | undefined;
}

/** What is to be written of a record. */
interface Changes {
  /** Values of fields that were put, undefined for those that were dropped. */
  readonly values: Map<string, Uint8Array | undefined>;
  readonly counters: Set<string>;
  /** What is in the tables goes. */
  isReplaced: boolean;
}

export class RecordCache {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  readonly #fieldRows: RowBatch;
  readonly #counterRows: RowBatch;
  /** What was asked for since the older ones were put aside. */
  #young = new Map<string, CachedRecord>();
  #older = new Map<string, CachedRecord>();
  readonly #dirty = new Set<CachedRecord>();
  #bytes = 0;

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
    this.#fieldRows = new RowBatch(db, PUT_FIELD);
    this.#counterRows = new RowBatch(db, PUT_COUNTER);
  }

  /** The record as it stands; an empty one where there is none. */
  get(key: string): CachedRecord {
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    if (this.#young.size >= RECORDS_MAX || this.#bytes > BYTES_MAX) this.#makeRoom();
    const record = this.#older.get(key) ?? this.#read(key);
    this.#older.delete(key);
    this.#young.set(key, record);
    this.#bytes += bytesOf(record);
    return record;
  }

  /** All of the record, from the tables. */
  standing(key: string): RecordState {
    const record = this.get(key);
    if (this.#dirty.delete(record)) {
      this.#write(record);
      this.#flushRows();
    }
    const fields = new Map<string, FieldWrite>();
    for (const row of this.#db.rows(STANDING, [record.id])) {
      if (row['field'] !== null && row['adds'] === null) {
        fields.set(nameOf(row['field']), fieldOf(row));
      }
    }
    return { tombstone: record.tombstone, fields, counters: record.counters ?? NO_COUNTERS };
  }

  /** Takes copies: values may alias a block of the journal. */
  putField(key: string, field: string, { order, value }: FieldWrite): void {
    const record = this.get(key);
    record.orders.set(field, packOrder(order));
    this.#changesOf(record).values.set(field, value.slice());
  }

  putCounter(key: string, field: string, counter: Counter): void {
    const record = this.get(key);
    record.counters ??= new Map();
    record.counters.set(field, counter);
    this.#changesOf(record).counters.add(field);
  }

  dropField(key: string, field: string): void {
    const record = this.get(key);
    record.orders.delete(field);
    this.#changesOf(record).values.set(field, undefined);
  }

  dropCounter(key: string, field: string): void {
    const record = this.get(key);
    record.counters?.delete(field);
    this.#changesOf(record).counters.add(field);
  }

  /** Replaces what stands. */
  replace(key: string, { tombstone, fields, counters }: RecordState): void {
    const record = this.get(key);
    const changes = this.#changesOf(record);
    changes.isReplaced = true;
    changes.values.clear();
    changes.counters.clear();
    record.tombstone = tombstone;
    record.orders = new Map();
    record.counters = undefined;
    for (const [field, write] of fields) this.putField(key, field, write);
    for (const [field, counter] of counters) this.putCounter(key, field, counter);
  }

  /** Writes what has changed, in the order of the tables: records that share a page come together. */
  flush(): void {
    if (this.#dirty.size === 0) return;
    for (const record of [...this.#dirty].toSorted((a, b) => a.id - b.id)) this.#write(record);
    this.#flushRows();
    this.#dirty.clear();
  }

  /** Forgets all, written or not: the tables were replaced. */
  clear(): void {
    this.#young.clear();
    this.#older.clear();
    this.#dirty.clear();
    this.#bytes = 0;
  }

  #makeRoom(): void {
    this.flush();
    this.#older = this.#young;
    this.#young = new Map();
    this.#bytes = 0;
  }

  #changesOf(record: CachedRecord): Changes {
    this.#dirty.add(record);
    this.#bytes += ENTRY_BYTES;
    return (record.changes ??= { values: new Map(), counters: new Set(), isReplaced: false });
  }

  #read(key: string): CachedRecord {
    const id = this.#keys.find(key);
    const record: CachedRecord = {
      id: id ?? this.#keys.add(key),
      tombstone: undefined,
      orders: new Map(),
      counters: undefined,
      changes: undefined,
    };
    if (id === undefined) return record;
    for (const row of this.#db.rows(STANDING, [id])) {
      if (row['field'] === null) record.tombstone = orderOf(row);
      else if (row['adds'] === null)
        record.orders.set(nameOf(row['field']), packOrder(orderOf(row)));
      else {
        record.counters ??= new Map();
        record.counters.set(nameOf(row['field']), counterOf(row));
      }
    }
    return record;
  }

  #write(record: CachedRecord): void {
    const { id, tombstone, orders, changes } = record;
    if (changes === undefined) return;
    record.changes = undefined;
    if (changes.isReplaced) {
      for (const table of ['tombstones', 'fields', 'counters']) {
        this.#db.run(`DELETE FROM ${table} WHERE key_id = ?`, [id]);
      }
      if (tombstone !== undefined) this.#db.run(PUT_TOMBSTONE, [id, encodeOrder(tombstone)]);
    }
    for (const [field, value] of changes.values) {
      const order = orders.get(field);
      if (value === undefined || order === undefined) this.#db.run(DROP_FIELD, [id, utf8(field)]);
      else this.#fieldRows.add(id, utf8(field), bytesOfPacked(order), value);
    }
    for (const field of changes.counters) {
      const counter = record.counters?.get(field);
      const name = utf8(field);
      if (counter === undefined) this.#db.run(DROP_COUNTER, [id, name]);
      else this.#counterRows.add(id, name, bytesOfTotal(counter.total), counter.adds);
    }
  }

  #flushRows(): void {
    this.#fieldRows.flush();
    this.#counterRows.flush();
  }
}

function bytesOf({ orders, counters }: CachedRecord): number {
  return RECORD_BYTES + (orders.size + (counters?.size ?? 0)) * ENTRY_BYTES;
}
