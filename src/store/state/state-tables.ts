/**
 * The folded state in tables: what merge/fold.ts writes to and what the digest reads. The tables hold what is
 * written; events that are still gathered (event-gather.ts) have to be flushed before they are read.
 */
import { compareBytes, concatBytes, utf8 } from '../../base/bytes.ts';
import type { LivingState } from '../../merge/state/digest.ts';
import type { DocState } from '../../merge/doc/doc-state.ts';
import type { DocChange } from '../../merge/doc/read-update.ts';
import type { EventWrite } from '../../merge/fold-target.ts';
import type { FieldWrite } from '../../merge/record.ts';
import type { OpId } from '../../merge/op-id.ts';
import { encodeOrder, type WriteOrder } from '../../merge/order.ts';
import {
  type Counter,
  NO_COUNTER,
  plus,
  type RecordState,
  type RecordWrite,
} from '../../merge/record.ts';
import type { RecordOps } from '../../merge/record/record-ops.ts';
import type { JoinTarget } from '../../merge/state/state-entry.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import { DocLog } from '../records/doc-log.ts';
import { DocTables } from '../records/doc-tables.ts';
import { type KeyIds, nameOf } from '../database/key-ids.ts';
import { unpackOrder } from '../records/packed-order.ts';
import { RecordCache } from '../records/record-cache.ts';
import { counterOf, eventOf, fieldOf, orderOf, rankOf } from '../database/rows.ts';
import { WriteTables } from '../records/writes/write-tables.ts';
import type { SqliteFile } from '../database/sqlite.ts';

const PUT_EVENT = 'INSERT OR REPLACE INTO events (key_id, rank, body) VALUES (?, ?, ?)';
const ALL_COUNTERS = `
  SELECT name, field, total, adds FROM keys JOIN counters ON counters.key_id = keys.id
  ORDER BY name, field`;
const RECORD_KEYS = `
  SELECT name FROM keys WHERE name >= ? AND name < ? AND name > ? AND (
    EXISTS (SELECT 1 FROM fields WHERE key_id = keys.id) OR
    EXISTS (SELECT 1 FROM counters WHERE key_id = keys.id) OR
    EXISTS (SELECT 1 FROM docs WHERE key_id = keys.id))
  ORDER BY name LIMIT ?`;
const ALL_EVENTS = `
  SELECT name, rank, body FROM keys JOIN events ON events.key_id = keys.id ORDER BY name`;
const ALL_TOMBSTONES = `
  SELECT name, rank FROM keys JOIN tombstones ON tombstones.key_id = keys.id ORDER BY name`;
const ALL_FIELDS = `
  SELECT name, field, rank, value FROM keys JOIN fields ON fields.key_id = keys.id
  ORDER BY name, field`;

// The condition is that of the index in schema.ts.
const LATEST_ASSETS = `
  SELECT name, rank, value FROM fields JOIN keys ON keys.id = fields.key_id
  WHERE field = x'' ORDER BY substr(rank, 2, 8) DESC LIMIT ?`;

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
    this.#cache.flush();
    this.docTables.flush();
  }

  /** Writes all that is to be written, before a commit. */
  flushAll(): void {
    this.writeTables.flushAll();
    this.flush();
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
    const { fields, counters } = this.#cache.standing(key);
    this.#cache.replace(key, { tombstone, fields, counters });
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
    const counter = plus(this.#cache.get(key).counters?.get(field) ?? NO_COUNTER, delta, count);
    if (counter.adds === 0) this.#cache.dropCounter(key, field);
    else this.#cache.putCounter(key, field, counter);
  }

  dropField(key: string, field: string): void {
    this.#cache.dropField(key, field);
  }

  /** Names of the fields that stand, the asset's among them. */
  fieldNames(key: string): Iterable<string> {
    return this.#keys.find(key) === undefined ? [] : this.#cache.get(key).orders.keys();
  }

  putCounter(key: string, field: string, counter: Counter): void {
    this.#cache.putCounter(key, field, counter);
  }

  fieldOrder(key: string, field: string): WriteOrder | undefined {
    const packed = this.#cache.get(key).orders.get(field);
    return packed === undefined ? undefined : unpackOrder(packed);
  }

  putField(key: string, field: string, write: FieldWrite): void {
    this.#cache.putField(key, field, write);
  }

  *events(): Generator<readonly [string, EventWrite]> {
    for (const row of this.#db.each(ALL_EVENTS)) yield [nameOf(row['name']), eventOf(row)];
  }

  *fields(): Generator<readonly [string, string, FieldWrite]> {
    this.flush();
    for (const row of this.#db.each(ALL_FIELDS)) {
      yield [nameOf(row['name']), nameOf(row['field']), fieldOf(row)];
    }
  }

  *counters(): Generator<readonly [string, string, Counter]> {
    this.flush();
    for (const row of this.#db.each(ALL_COUNTERS)) {
      yield [nameOf(row['name']), nameOf(row['field']), counterOf(row)];
    }
  }

  docs(): Generator<readonly [string, DocState]> {
    return this.docTables.all();
  }

  *tombstones(): Generator<readonly [string, WriteOrder]> {
    this.flush();
    for (const row of this.#db.each(ALL_TOMBSTONES)) yield [nameOf(row['name']), orderOf(row)];
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
    return rows.map((row) => [nameOf(row['name']), fieldOf(row)] as const);
  }

  /** Living fields of the record, by name; empty where there is none. */
  record(key: string): Map<string, FieldWrite> {
    return this.#keys.find(key) === undefined
      ? new Map()
      : inByteOrder(this.#cache.standing(key).fields);
  }

  countersOf(key: string): Map<string, Counter> {
    return this.#keys.find(key) === undefined
      ? new Map()
      : inByteOrder(this.#cache.get(key).counters ?? new Map());
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
    const row = this.#db.row(
      `SELECT count(*) AS count FROM
       (SELECT key_id FROM fields UNION SELECT key_id FROM counters)`,
    );
    return row?.['count'] as number;
  }

  /** Reads what is kept in memory: after opening, and when the tables were replaced. */
  load(): void {
    this.isUnsure = false;
    this.#cache.clear();
    this.docTables.clear();
    this.writeTables.load();
  }
}

function inByteOrder<T>(values: ReadonlyMap<string, T>): Map<string, T> {
  const named = [...values].map(([name, value]) => ({ name, bytes: utf8(name), value }));
  named.sort((a, b) => compareBytes(a.bytes, b.bytes));
  return new Map(named.map(({ name, value }) => [name, value]));
}
