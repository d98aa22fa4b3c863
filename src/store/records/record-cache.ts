/**
 * The records that are being written, in memory: what stands is read from the tables once, changed here, and written
 * back once a transaction, however often it changed. Whatever reads the tables flushes first. A record is dirty only
 * within an open transaction.
 */
import { utf8 } from '../../base/bytes.ts';
import type { FieldWrite } from '../../merge/fold.ts';
import { encodeOrder, type WriteOrder } from '../../merge/order.ts';
import { bytesOfTotal, type Counter, type RecordState } from '../../merge/record.ts';
import type { KeyIds } from '../key-ids.ts';
import { counterOf, fieldOf, orderOf } from '../rows.ts';
import { nameOf } from '../key-ids.ts';
import { RowBatch } from '../row-batch.ts';
import type { SqliteFile } from '../sqlite.ts';

/** Records, and bytes that they take, before older ones are put aside; twice as much lies here at most. */
const RECORDS_MAX = 16_384;
const BYTES_MAX = 12 << 20;
/** What a field or counter takes beside its value. */
const ENTRY_BYTES = 200;

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

const DROP_FIELD = 'DELETE FROM fields WHERE key_id = ? AND field = ?';
const DROP_COUNTER = 'DELETE FROM counters WHERE key_id = ? AND field = ?';

export interface CachedRecord {
  readonly id: number;
  tombstone: WriteOrder | undefined;
  fields: Map<string, FieldWrite>;
  counters: Map<string, Counter>;
  /** Names that are to be written; `isReplaced`: what is in the tables goes. */
  readonly dirtyFields: Set<string>;
  readonly dirtyCounters: Set<string>;
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

  /** Takes copies: values may alias a block of the journal. */
  putField(key: string, field: string, { order, value }: FieldWrite): void {
    const record = this.get(key);
    record.fields.set(field, { order, value: value.slice() });
    record.dirtyFields.add(field);
    this.#touch(record, value.length);
  }

  putCounter(key: string, field: string, counter: Counter): void {
    const record = this.get(key);
    record.counters.set(field, counter);
    record.dirtyCounters.add(field);
    this.#touch(record, 0);
  }

  dropField(key: string, field: string): void {
    const record = this.get(key);
    record.fields.delete(field);
    record.dirtyFields.add(field);
    this.#touch(record, 0);
  }

  dropCounter(key: string, field: string): void {
    const record = this.get(key);
    record.counters.delete(field);
    record.dirtyCounters.add(field);
    this.#touch(record, 0);
  }

  /** Replaces what stands. */
  replace(key: string, { tombstone, fields, counters }: RecordState): void {
    const record = this.get(key);
    record.isReplaced = true;
    record.tombstone = tombstone;
    record.fields = new Map();
    record.counters = new Map();
    record.dirtyFields.clear();
    record.dirtyCounters.clear();
    this.#touch(record, 0);
    for (const [field, write] of fields) this.putField(key, field, write);
    for (const [field, counter] of counters) this.putCounter(key, field, counter);
  }

  /** Writes what has changed, in the order of the tables: records that share a page come together. */
  flush(): void {
    if (this.#dirty.size === 0) return;
    for (const record of [...this.#dirty].toSorted((a, b) => a.id - b.id)) this.#write(record);
    this.#fieldRows.flush();
    this.#counterRows.flush();
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

  #touch(record: CachedRecord, bytes: number): void {
    this.#dirty.add(record);
    this.#bytes += bytes + ENTRY_BYTES;
  }

  #read(key: string): CachedRecord {
    const id = this.#keys.find(key);
    const record: CachedRecord = {
      id: id ?? this.#keys.add(key),
      tombstone: undefined,
      fields: new Map(),
      counters: new Map(),
      dirtyFields: new Set(),
      dirtyCounters: new Set(),
      isReplaced: false,
    };
    if (id === undefined) return record;
    for (const row of this.#db.rows(STANDING, [id])) {
      if (row['field'] === null) record.tombstone = orderOf(row);
      else if (row['adds'] === null) record.fields.set(nameOf(row['field']), fieldOf(row));
      else record.counters.set(nameOf(row['field']), counterOf(row));
    }
    return record;
  }

  #write(record: CachedRecord): void {
    const { id, tombstone, fields, counters, dirtyFields, dirtyCounters } = record;
    if (record.isReplaced) {
      for (const table of ['tombstones', 'fields', 'counters']) {
        this.#db.run(`DELETE FROM ${table} WHERE key_id = ?`, [id]);
      }
      if (tombstone !== undefined) this.#db.run(PUT_TOMBSTONE, [id, encodeOrder(tombstone)]);
    }
    for (const field of dirtyFields) {
      const write = fields.get(field);
      if (write === undefined) this.#db.run(DROP_FIELD, [id, utf8(field)]);
      else this.#fieldRows.add(id, utf8(field), encodeOrder(write.order), write.value);
    }
    for (const field of dirtyCounters) {
      const counter = counters.get(field);
      const name = utf8(field);
      if (counter === undefined) this.#db.run(DROP_COUNTER, [id, name]);
      else this.#counterRows.add(id, name, bytesOfTotal(counter.total), counter.adds);
    }
    record.isReplaced = false;
    dirtyFields.clear();
    dirtyCounters.clear();
  }
}

function bytesOf({ fields, counters }: CachedRecord): number {
  let bytes = (fields.size + counters.size + 1) * ENTRY_BYTES;
  for (const { value } of fields.values()) bytes += value.length;
  return bytes;
}
