/**
 * The records that are being written, in memory: what stands is read from the table once, and what has changed is written back
 * once a transaction, however often it changed. Whatever reads the table flushes first. A record has changes only within an
 * open transaction.
 */
import { ASSET_FIELD } from '../../merge/asset/asset-version.ts';
import type { WriteOrder } from '../../merge/order.ts';
import type { Counter, FieldWrite, RecordState } from '../../merge/record.ts';
import type { KeyIds } from '../database/key-ids.ts';
import { RowBatch } from '../database/row-batch.ts';
import type { SqliteFile } from '../database/sqlite.ts';
import {
  hlcOfField,
  packField,
  packRecord,
  type PackedField,
  type UnpackedRecord,
  unpackRecord,
} from './packed-record.ts';

/** Records, and bytes that they take, before older ones are put aside; twice as much lies here at most. */
const RECORDS_MAX = 16_384;
const BYTES_MAX = 8 << 20;
/** What a record takes in memory, and a field or counter of it beside its value. */
const RECORD_BYTES = 450;
const ENTRY_BYTES = 60;

const GET = 'SELECT state FROM records WHERE key_id = ?';
const PUT = { insert: 'INSERT OR REPLACE INTO records (key_id, state) VALUES', columns: 2 };
const DROP = 'DELETE FROM records WHERE key_id = ?';
const PUT_ASSET = { insert: 'INSERT OR REPLACE INTO assets (key_id, hlc) VALUES', columns: 2 };
const DROP_ASSET = 'DELETE FROM assets WHERE key_id = ?';

interface CachedRecord extends UnpackedRecord {
  readonly id: number;
  tombstone: WriteOrder | undefined;
  /** The version of its asset that the table of assets tells of. */
  notedAsset: PackedField | undefined;
}

export class RecordCache {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  readonly #rows: RowBatch;
  readonly #assetRows: RowBatch;
  /** What was asked for since the older ones were put aside. */
  #young = new Map<string, CachedRecord>();
  #older = new Map<string, CachedRecord>();
  /** What was asked for last: folding an op asks several times. */
  #recentKey: string | undefined;
  #recent: CachedRecord | undefined;
  readonly #dirty = new Set<CachedRecord>();
  /** Those that are still to be written, the last one first. */
  #order: CachedRecord[] = [];
  #bytes = 0;

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
    this.#rows = new RowBatch(db, PUT);
    this.#assetRows = new RowBatch(db, PUT_ASSET);
  }

  /** The record as it stands; an empty one where there is none. */
  get(key: string): CachedRecord {
    if (key === this.#recentKey && this.#recent !== undefined) return this.#recent;
    const record = this.#young.get(key) ?? this.#rejuvenated(key);
    this.#recentKey = key;
    this.#recent = record;
    return record;
  }

  /** Takes a copy: values may alias a block of the journal. */
  putField(key: string, field: string, write: FieldWrite): void {
    const record = this.get(key);
    const packed = packField(write);
    this.#bytes += packed.length + ENTRY_BYTES;
    record.fields.set(field, packed);
    this.#dirty.add(record);
  }

  putCounter(key: string, field: string, counter: Counter): void {
    const record = this.get(key);
    this.#bytes += ENTRY_BYTES;
    record.counters.set(field, counter);
    this.#dirty.add(record);
  }

  dropField(key: string, field: string): void {
    const record = this.get(key);
    record.fields.delete(field);
    this.#dirty.add(record);
  }

  dropCounter(key: string, field: string): void {
    const record = this.get(key);
    record.counters.delete(field);
    this.#dirty.add(record);
  }

  putTombstone(key: string, tombstone: WriteOrder): void {
    const record = this.get(key);
    record.tombstone = tombstone;
    this.#dirty.add(record);
  }

  /** Replaces what stands. */
  replace(key: string, { tombstone, fields, counters }: RecordState): void {
    const record = this.get(key);
    record.tombstone = tombstone;
    record.fields.clear();
    record.counters.clear();
    this.#dirty.add(record);
    for (const [field, write] of fields) this.putField(key, field, write);
    for (const [field, counter] of counters) this.putCounter(key, field, counter);
  }

  /** Writes at most so many records that have changed, in the order of their rows; true where none is left. */
  flush(recordsMax: number): boolean {
    if (this.#dirty.size === 0) return true;
    if (this.#order.length === 0) this.#order = [...this.#dirty].toSorted((a, b) => b.id - a.id);
    for (let count = 0; count < recordsMax; count++) {
      const record = this.#order.pop();
      if (record === undefined) break;
      if (this.#dirty.delete(record)) this.#write(record);
    }
    this.#flushRows();
    return this.#dirty.size === 0;
  }

  /** Forgets all, written or not: the tables were replaced. */
  clear(): void {
    this.#young.clear();
    this.#older.clear();
    this.#dirty.clear();
    this.#order = [];
    this.#recent = undefined;
    this.#bytes = 0;
  }

  #rejuvenated(key: string): CachedRecord {
    if (this.#young.size >= RECORDS_MAX || this.#bytes > BYTES_MAX) this.#makeRoom();
    const record = this.#older.get(key) ?? this.#read(key);
    this.#older.delete(key);
    this.#young.set(key, record);
    this.#bytes += bytesOf(record);
    return record;
  }

  /** Whoever was not asked for in a long time goes, and is written before. */
  #makeRoom(): void {
    for (const record of this.#older.values()) {
      if (this.#dirty.delete(record)) this.#write(record);
    }
    this.#flushRows();
    this.#older = this.#young;
    this.#young = new Map();
    this.#bytes = 0;
  }

  #read(key: string): CachedRecord {
    const known = this.#keys.find(key);
    const row = known === undefined ? undefined : this.#db.row(GET, [known]);
    const id = known ?? this.#keys.add(key);
    if (row === undefined) {
      const [fields, counters] = [new Map<string, PackedField>(), new Map<string, Counter>()];
      return { id, tombstone: undefined, fields, counters, notedAsset: undefined };
    }
    const { tombstone, fields, counters } = unpackRecord(row['state']);
    return { id, tombstone, fields, counters, notedAsset: fields.get(ASSET_FIELD) };
  }

  #write(record: CachedRecord): void {
    const { id } = record;
    const row = packRecord(record);
    if (row.length === 0) this.#db.run(DROP, [id]);
    else this.#rows.add(id, row);
    const asset = record.fields.get(ASSET_FIELD);
    if (asset === record.notedAsset) return;
    record.notedAsset = asset;
    if (asset === undefined) this.#db.run(DROP_ASSET, [id]);
    else this.#assetRows.add(id, hlcOfField(asset));
  }

  #flushRows(): void {
    this.#rows.flush();
    this.#assetRows.flush();
  }
}

function bytesOf({ fields, counters }: CachedRecord): number {
  let bytes = RECORD_BYTES + counters.size * ENTRY_BYTES;
  for (const packed of fields.values()) bytes += packed.length + ENTRY_BYTES;
  return bytes;
}
