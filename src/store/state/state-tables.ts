/**
 * The folded state in tables: what merge/fold.ts writes to and what the digest reads. The tables hold what is
 * written; events that are still gathered (event-gather.ts) have to be flushed before they are read.
 */
import { concatBytes, utf8 } from '../../base/bytes.ts';
import { ASSET_FIELD } from '../../merge/asset/asset-version.ts';
import type { LivingState } from '../../merge/state/digest.ts';
import type { DocState } from '../../merge/doc/doc-state.ts';
import type { DocChange } from '../../merge/doc/read-update.ts';
import type { EventWrite } from '../../merge/fold-target.ts';
import type { OpId } from '../../merge/op-id.ts';
import { encodeOrder, type WriteOrder } from '../../merge/order.ts';
import {
  type Counter,
  type FieldWrite,
  NO_COUNTER,
  plus,
  type RecordState,
  type RecordWrite,
} from '../../merge/record.ts';
import type { RecordOps } from '../../merge/record/record-ops.ts';
import { type Pieces, type RecordSize, sizeWith } from '../../merge/record/record-size.ts';
import type { JoinTarget } from '../../merge/state/state-entry.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import { DocLog } from '../records/doc-log.ts';
import { DocTables } from '../records/doc-tables.ts';
import { type KeyIds, nameOf } from '../database/key-ids.ts';
import {
  inByteOrder,
  IS_ALIVE,
  orderOfField,
  type StandingRecord,
  unpackField,
  unpackFields,
  unpackRecord,
  valueBytesOf,
} from '../records/packed-record.ts';
import { RecordCache } from '../records/record-cache.ts';
import { eventOf, rankOf } from '../database/rows.ts';
import { WriteTables } from '../records/writes/write-tables.ts';
import type { SqliteFile } from '../database/sqlite.ts';

const PUT_EVENT = 'INSERT OR REPLACE INTO events (key_id, rank, body) VALUES (?, ?, ?)';
const RECORD_KEYS = `
  SELECT name FROM keys WHERE name >= ? AND name < ? AND name > ? AND (
    EXISTS (SELECT 1 FROM records WHERE key_id = keys.id AND ${IS_ALIVE}) OR
    EXISTS (SELECT 1 FROM docs WHERE key_id = keys.id))
  ORDER BY name LIMIT ?`;
const ALL_EVENTS = `
  SELECT name, rank, body FROM keys JOIN events ON events.key_id = keys.id ORDER BY name`;
const ALL_RECORDS = `
  SELECT name, state FROM keys JOIN records ON records.key_id = keys.id ORDER BY name`;
const LATEST_ASSETS = `
  SELECT name, state FROM assets JOIN keys ON keys.id = assets.key_id
  JOIN records ON records.key_id = assets.key_id ORDER BY hlc DESC LIMIT ?`;

export class StateTables implements JoinTarget, LivingState {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  readonly #cache: RecordCache;
  readonly docTables: DocTables;
  readonly writeTables: WriteTables;
  readonly docLog: DocLog;
  /** Whether ops are kept that the store does not know by (lane, seq): a state that was taken over has brought them. */
  isUnsure = false;

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
    this.#cache = new RecordCache(db, keys);
    this.docTables = new DocTables(db, keys);
    this.writeTables = new WriteTables(db, keys);
    this.docLog = new DocLog(db, keys);
  }

  eventOrder(key: string): WriteOrder | undefined {
    const id = this.#keys.find(key);
    if (id === undefined) return undefined;
    return rankOf(this.#db.row('SELECT rank FROM events WHERE key_id = ?', [id]));
  }

  putEvent(key: string, { order, body }: EventWrite): void {
    this.#db.run(PUT_EVENT, [this.#keys.idOf(key), encodeOrder(order), body]);
  }

  /** Writes the records and documents that have changed, before anything reads their tables. */
  flush(): void {
    while (!this.#cache.flush(Infinity));
    this.docTables.flush();
  }

  /** Writes all that is to be written, before a commit. */
  flushAll(): void {
    this.writeTables.flushAll();
    this.flush();
  }

  /** Writes a part of it, of at most so many records; true where only documents are left. */
  flushSome(recordsMax: number): boolean {
    return this.writeTables.flush(recordsMax) && this.#cache.flush(recordsMax);
  }

  tombstone(key: string): WriteOrder | undefined {
    return this.#cache.get(key).tombstone;
  }

  /** Mostly an op comes here once: the store knows by (lane, seq) which it has folded. */
  addWrite(key: string, write: RecordWrite): boolean {
    if (this.isUnsure && this.opsOf(key).writeOf(write.order) !== undefined) return false;
    this.writeTables.add(key, write);
    return true;
  }

  dropWrites(key: string, vector: VersionVector, gone: readonly RecordWrite[]): void {
    this.writeTables.dropCovered(key, vector, gone);
  }

  replaceWrite(key: string, before: RecordWrite, write: RecordWrite): void {
    this.writeTables.replace(key, before, write);
  }

  opsOf(key: string): RecordOps {
    return this.writeTables.of(key);
  }

  putTombstone(key: string, tombstone: WriteOrder): void {
    this.#cache.putTombstone(key, tombstone);
  }

  putRecord(key: string, state: RecordState): void {
    this.#cache.replace(key, state);
  }

  mergeDoc(key: string, change: DocChange, op: OpId): void {
    this.docTables.merge(key, change, op);
  }

  joinDoc(key: string, doc: DocState): void {
    this.docTables.join(key, doc);
  }

  addToCounter(key: string, field: string, delta: bigint, count: 1 | -1): void {
    const counter = plus(this.#cache.get(key).counters.get(field) ?? NO_COUNTER, delta, count);
    if (counter.adds === 0) this.#cache.dropCounter(key, field);
    else this.#cache.putCounter(key, field, counter);
  }

  dropField(key: string, field: string): void {
    this.#cache.dropField(key, field);
  }

  /** Names of the fields that stand, the asset's among them. */
  fieldNames(key: string): Iterable<string> {
    return this.#keys.find(key) === undefined ? [] : this.#cache.get(key).fields.keys();
  }

  putCounter(key: string, field: string, counter: Counter): void {
    this.#cache.putCounter(key, field, counter);
  }

  fieldOrder(key: string, field: string): WriteOrder | undefined {
    const packed = this.#cache.get(key).fields.get(field);
    return packed === undefined ? undefined : orderOfField(packed);
  }

  putField(key: string, field: string, write: FieldWrite): void {
    this.#cache.putField(key, field, write);
  }

  *events(): Generator<readonly [string, EventWrite]> {
    for (const row of this.#db.each(ALL_EVENTS)) yield [nameOf(row['name']), eventOf(row)];
  }

  *fields(): Generator<readonly [string, string, FieldWrite]> {
    for (const [key, { fields }] of this.#records()) {
      for (const [field, write] of unpackFields(fields)) yield [key, field, write];
    }
  }

  *counters(): Generator<readonly [string, string, Counter]> {
    for (const [key, { counters }] of this.#records()) {
      for (const [field, counter] of inByteOrder(counters)) yield [key, field, counter];
    }
  }

  docs(): Generator<readonly [string, DocState]> {
    return this.docTables.all();
  }

  *tombstones(): Generator<readonly [string, WriteOrder]> {
    for (const [key, { tombstone }] of this.#records()) {
      if (tombstone !== undefined) yield [key, tombstone];
    }
  }

  /** Latest events of the keys that begin with `prefix`, in order of their bytes, at most `limit`. */
  latest(prefix: string, limit: number): (readonly [string, EventWrite])[] {
    const sql = `
      SELECT name, rank, body FROM keys JOIN events ON events.key_id = keys.id
      WHERE name >= ? AND name < ? ORDER BY name LIMIT ?`;
    const from = utf8(prefix);
    // No byte of UTF-8 is 0xff, so this comes after all names with the prefix and before all others.
    const to = concatBytes([from, Uint8Array.of(0xff)]);
    const rows = this.#db.rows(sql, [from, to, limit]);
    return rows.map((row) => [nameOf(row['name']), eventOf(row)] as const);
  }

  /** Versions of assets that stand, the newest first. */
  latestAssets(limit: number): (readonly [key: string, write: FieldWrite])[] {
    this.flush();
    const rows = this.#db.rows(LATEST_ASSETS, [limit]);
    return rows.flatMap((row) => {
      const asset = unpackRecord(row['state']).fields.get(ASSET_FIELD);
      return asset === undefined ? [] : [[nameOf(row['name']), unpackField(asset)] as const];
    });
  }

  /** Living fields of the record, by name; empty where there is none. */
  record(key: string): Map<string, FieldWrite> {
    return this.#keys.find(key) === undefined
      ? new Map()
      : new Map(unpackFields(this.#cache.get(key).fields));
  }

  countersOf(key: string): Map<string, Counter> {
    return this.#keys.find(key) === undefined
      ? new Map()
      : inByteOrder(this.#cache.get(key).counters);
  }

  recordSizeWith(key: string, pieces: Pieces): RecordSize {
    return this.#keys.find(key) === undefined
      ? pieces.size
      : sizeWith(this.#cache.get(key), valueBytesOf, pieces);
  }

  /** Keys of living records that begin with `prefix` and come after `after`, in order of their bytes. */
  recordKeys(prefix: string, after: string, limit: number): string[] {
    this.flush();
    const from = utf8(prefix);
    const to = concatBytes([from, Uint8Array.of(0xff)]);
    return this.#db
      .rows(RECORD_KEYS, [from, to, utf8(after), limit])
      .map((row) => nameOf(row['name']));
  }

  /** Count of records with at least one living field or counter. */
  recordCount(): number {
    this.flush();
    const row = this.#db.row(`SELECT count(*) AS count FROM records WHERE ${IS_ALIVE}`);
    return row?.['count'] as number;
  }

  /** Reads what is kept in memory: after opening, and when the tables were replaced. */
  load(): void {
    this.isUnsure = false;
    this.#cache.clear();
    this.docTables.clear();
    this.writeTables.load();
  }

  /** All of them, in ascending byte order of their keys. */
  *#records(): Generator<readonly [string, StandingRecord]> {
    this.flush();
    for (const row of this.#db.each(ALL_RECORDS)) {
      yield [nameOf(row['name']), unpackRecord(row['state'])];
    }
  }
}
