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
import { counterOf, fieldOf, rankOf } from '../rows.ts';
import { nameOf } from '../key-ids.ts';
import type { SqliteFile } from '../sqlite.ts';

/** Records, and bytes of their values, that lie here at once. */
const RECORDS_MAX = 1024;
const BYTES_MAX = 4 << 20;
/** What a field or counter takes beside its value. */
const ENTRY_BYTES = 200;

const UPSERT_FIELD = `
  INSERT INTO fields (key_id, field, rank, value) VALUES (?, ?, ?, ?)
  ON CONFLICT (key_id, field) DO UPDATE SET rank = excluded.rank, value = excluded.value`;
const PUT_TOMBSTONE = 'INSERT OR REPLACE INTO tombstones (key_id, rank) VALUES (?, ?)';
const PUT_COUNTER = `
  INSERT OR REPLACE INTO counters (key_id, field, total, adds) VALUES (?, ?, ?, ?)`;

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
  readonly #records = new Map<string, CachedRecord>();
  readonly #dirty = new Set<CachedRecord>();
  #bytes = 0;

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
  }

  /** The record as it stands; an empty one where there is none. */
  get(key: string): CachedRecord {
    const known = this.#records.get(key);
    if (known !== undefined) return known;
    if (this.#records.size >= RECORDS_MAX || this.#bytes > BYTES_MAX) this.#makeRoom();
    const record = this.#read(this.#keys.idOf(key));
    this.#records.set(key, record);
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

  /** Writes what has changed. */
  flush(): void {
    for (const record of this.#dirty) this.#write(record);
    this.#dirty.clear();
  }

  /** Forgets all, written or not: the tables were replaced. */
  clear(): void {
    this.#records.clear();
    this.#dirty.clear();
    this.#bytes = 0;
  }

  #makeRoom(): void {
    this.flush();
    this.clear();
  }

  #touch(record: CachedRecord, bytes: number): void {
    this.#dirty.add(record);
    this.#bytes += bytes + ENTRY_BYTES;
  }

  #read(id: number): CachedRecord {
    const rows = (sql: string): ReturnType<SqliteFile['rows']> => this.#db.rows(sql, [id]);
    const [tombstone] = rows('SELECT rank FROM tombstones WHERE key_id = ?');
    const fields = rows('SELECT field, rank, value FROM fields WHERE key_id = ?');
    const counters = rows('SELECT field, total, adds FROM counters WHERE key_id = ?');
    this.#bytes += (fields.length + counters.length + 1) * ENTRY_BYTES;
    for (const row of fields) this.#bytes += (row['value'] as Uint8Array).length;
    return {
      id,
      tombstone: rankOf(tombstone),
      fields: new Map(fields.map((row) => [nameOf(row['field']), fieldOf(row)])),
      counters: new Map(counters.map((row) => [nameOf(row['field']), counterOf(row)])),
      dirtyFields: new Set(),
      dirtyCounters: new Set(),
      isReplaced: false,
    };
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
      else this.#db.run(UPSERT_FIELD, [id, utf8(field), encodeOrder(write.order), write.value]);
    }
    for (const field of dirtyCounters) {
      const counter = counters.get(field);
      const name = utf8(field);
      if (counter === undefined) this.#db.run(DROP_COUNTER, [id, name]);
      else this.#db.run(PUT_COUNTER, [id, name, bytesOfTotal(counter.total), counter.adds]);
    }
    record.isReplaced = false;
    dirtyFields.clear();
    dirtyCounters.clear();
  }
}
