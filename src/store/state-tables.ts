/**
 * The folded state in tables: what merge/fold.ts writes to and what the digest reads. The tables hold what is
 * written; events that are still gathered (event-gather.ts) have to be flushed before they are read.
 */
import { concatBytes, utf8 } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { LivingState } from '../merge/digest.ts';
import type { EventWrite, FieldWrite, FoldTarget } from '../merge/fold.ts';
import type { OpId } from '../merge/op-id.ts';
import {
  decodeOrder,
  encodeOrder,
  ORDER_BYTES,
  ORIGIN_AT,
  type WriteOrder,
} from '../merge/order.ts';
import {
  bytesOfTotal,
  type Counter,
  NO_COUNTER,
  plus,
  type RecordState,
  type RecordWrite,
  totalOfBytes,
} from '../merge/record.ts';
import { HLC_ZERO } from '../model/hlc.ts';
import { type Kind, UNDO } from '../model/op.ts';
import { type KeyIds, nameOf } from './key-ids.ts';
import type { SqliteFile, SqlRow } from './sqlite.ts';

const PUT_EVENT = 'INSERT OR REPLACE INTO events (key_id, rank, body) VALUES (?, ?, ?)';
const UPSERT_FIELD = `
  INSERT INTO fields (key_id, field, rank, value) VALUES (?, ?, ?, ?)
  ON CONFLICT (key_id, field) DO UPDATE SET rank = excluded.rank, value = excluded.value`;
const UPSERT_TOMBSTONE = `
  INSERT INTO tombstones (key_id, rank) VALUES (?, ?)
  ON CONFLICT (key_id) DO UPDATE SET rank = excluded.rank`;
const ADD_WRITE = 'INSERT OR IGNORE INTO writes (key_id, rank, kind, body) VALUES (?, ?, ?, ?)';
const PUT_COUNTER = `
  INSERT OR REPLACE INTO counters (key_id, field, total, adds) VALUES (?, ?, ?, ?)`;
const ALL_COUNTERS = `
  SELECT name, field, total, adds FROM keys JOIN counters ON counters.key_id = keys.id
  ORDER BY name, field`;
const ALL_WRITES = `
  SELECT name, rank, kind, body FROM keys JOIN writes ON writes.key_id = keys.id
  ORDER BY name, rank`;
const RECORD_KEYS = `
  SELECT name FROM keys WHERE name >= ? AND name < ? AND name > ? AND (
    EXISTS (SELECT 1 FROM fields WHERE key_id = keys.id) OR
    EXISTS (SELECT 1 FROM counters WHERE key_id = keys.id))
  ORDER BY name LIMIT ?`;
const ALL_EVENTS = `
  SELECT name, rank, body FROM keys JOIN events ON events.key_id = keys.id ORDER BY name`;
const ALL_TOMBSTONES = `
  SELECT name, rank FROM keys JOIN tombstones ON tombstones.key_id = keys.id ORDER BY name`;
const ALL_FIELDS = `
  SELECT name, field, rank, value FROM keys JOIN fields ON fields.key_id = keys.id
  ORDER BY name, field`;

export class StateTables implements FoldTarget, LivingState {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  /** Records with an undo among their ops. */
  readonly #withUndo = new Set<number>();

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
  }

  eventOrder(key: string): WriteOrder | undefined {
    const id = this.#keys.find(key);
    if (id === undefined) return undefined;
    return rankOf(this.#db.row('SELECT rank FROM events WHERE key_id = ?', [id]));
  }

  putEvent(key: string, { order, body }: EventWrite): void {
    this.#db.run(PUT_EVENT, [this.#keys.idOf(key), encodeOrder(order), body]);
  }

  tombstone(key: string): WriteOrder | undefined {
    const id = this.#keys.find(key);
    if (id === undefined) return undefined;
    return rankOf(this.#db.row('SELECT rank FROM tombstones WHERE key_id = ?', [id]));
  }

  addWrite(key: string, { order, kind, body }: RecordWrite): boolean {
    const id = this.#keys.idOf(key);
    const added = this.#db.run(ADD_WRITE, [id, encodeOrder(order), kind, body]) > 0;
    if (added && kind === UNDO) this.#withUndo.add(id);
    return added;
  }

  /** All ops on the record, in the order in which the later prevails. */
  writes(key: string): RecordWrite[] {
    const id = this.#keys.find(key);
    if (id === undefined) return [];
    const sql = 'SELECT rank, kind, body FROM writes WHERE key_id = ? ORDER BY rank';
    return this.#db.rows(sql, [id]).map((row) => writeOf(row));
  }

  hasUndo(key: string): boolean {
    return this.#withUndo.has(this.#keys.idOf(key));
  }

  /** Key of the record that the op was made on. */
  keyOfOp(op: OpId): string | undefined {
    const order = { authority: 0, hlc: HLC_ZERO, ...op };
    const sql = `
      SELECT name FROM writes INDEXED BY writes_by_op JOIN keys ON keys.id = writes.key_id
      WHERE substr(rank, 10) = ?`;
    const row = this.#db.row(sql, [encodeOrder(order).subarray(ORIGIN_AT)]);
    return row === undefined ? undefined : nameOf(row['name']);
  }

  putTombstone(key: string, order: WriteOrder): void {
    this.#db.run(UPSERT_TOMBSTONE, [this.#keys.idOf(key), encodeOrder(order)]);
  }

  putRecord(key: string, { tombstone, fields, counters }: RecordState): void {
    const id = this.#keys.idOf(key);
    for (const table of ['tombstones', 'fields', 'counters']) {
      this.#db.run(`DELETE FROM ${table} WHERE key_id = ?`, [id]);
    }
    if (tombstone !== undefined) this.putTombstone(key, tombstone);
    for (const [field, write] of fields) this.putField(key, field, write);
    for (const [field, counter] of counters) this.putCounter(key, field, counter);
  }

  addToCounter(key: string, field: string, delta: bigint): void {
    const sql = 'SELECT total, adds FROM counters WHERE key_id = ? AND field = ?';
    const row = this.#db.row(sql, [this.#keys.idOf(key), utf8(field)]);
    this.putCounter(key, field, plus(row === undefined ? NO_COUNTER : counterOf(row), delta));
  }

  putCounter(key: string, field: string, { total, adds }: Counter): void {
    const id = this.#keys.idOf(key);
    this.#db.run(PUT_COUNTER, [id, utf8(field), bytesOfTotal(total), adds]);
  }

  fieldOrder(key: string, field: string): WriteOrder | undefined {
    const id = this.#keys.find(key);
    if (id === undefined) return undefined;
    const sql = 'SELECT rank FROM fields WHERE key_id = ? AND field = ?';
    return rankOf(this.#db.row(sql, [id, utf8(field)]));
  }

  putField(key: string, field: string, { order, value }: FieldWrite): void {
    this.#db.run(UPSERT_FIELD, [this.#keys.idOf(key), utf8(field), encodeOrder(order), value]);
  }

  *events(): Generator<readonly [string, EventWrite]> {
    for (const row of this.#db.each(ALL_EVENTS)) yield [nameOf(row['name']), eventOf(row)];
  }

  *fields(): Generator<readonly [string, string, FieldWrite]> {
    for (const row of this.#db.each(ALL_FIELDS)) {
      yield [nameOf(row['name']), nameOf(row['field']), fieldOf(row)];
    }
  }

  *counters(): Generator<readonly [string, string, Counter]> {
    for (const row of this.#db.each(ALL_COUNTERS)) {
      yield [nameOf(row['name']), nameOf(row['field']), counterOf(row)];
    }
  }

  *allWrites(): Generator<readonly [string, RecordWrite]> {
    for (const row of this.#db.each(ALL_WRITES)) yield [nameOf(row['name']), writeOf(row)];
  }

  /** Keys of the records that have ops. */
  keysOfWrites(): string[] {
    const sql = 'SELECT name FROM keys WHERE id IN (SELECT key_id FROM writes) ORDER BY name';
    return this.#db.rows(sql).map((row) => nameOf(row['name']));
  }

  *tombstones(): Generator<readonly [string, WriteOrder]> {
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

  /** Living fields of the record, by name; empty where there is none. */
  record(key: string): Map<string, FieldWrite> {
    const id = this.#keys.find(key);
    if (id === undefined) return new Map();
    const sql = 'SELECT field, rank, value FROM fields WHERE key_id = ? ORDER BY field';
    return new Map(this.#db.rows(sql, [id]).map((row) => [nameOf(row['field']), fieldOf(row)]));
  }

  countersOf(key: string): Map<string, Counter> {
    const id = this.#keys.find(key);
    if (id === undefined) return new Map();
    const sql = 'SELECT field, total, adds FROM counters WHERE key_id = ? ORDER BY field';
    return new Map(this.#db.rows(sql, [id]).map((row) => [nameOf(row['field']), counterOf(row)]));
  }

  /** Keys of living records that begin with `prefix` and come after `after`, in order of their bytes. */
  recordKeys(prefix: string, after: string, limit: number): string[] {
    const from = utf8(prefix);
    const to = concatBytes([from, Uint8Array.of(0xff)]);
    return this.#db
      .rows(RECORD_KEYS, [from, to, utf8(after), limit])
      .map((row) => nameOf(row['name']));
  }

  /** Count of records with at least one living field or counter. */
  recordCount(): number {
    const row = this.#db.row(
      `SELECT count(*) AS count FROM
       (SELECT key_id FROM fields UNION SELECT key_id FROM counters)`,
    );
    return row?.['count'] as number;
  }

  /** Reads what is kept in memory: after opening, and when the tables were replaced. */
  load(): void {
    this.#withUndo.clear();
    const rows = this.#db.rows('SELECT DISTINCT key_id FROM writes WHERE kind = ?', [UNDO]);
    for (const row of rows) this.#withUndo.add(row['key_id'] as number);
  }
}

function writeOf(row: SqlRow): RecordWrite {
  return { order: orderOf(row), kind: row['kind'] as Kind, body: row['body'] as Uint8Array };
}

function counterOf(row: SqlRow): Counter {
  const total = row['total'];
  if (!(total instanceof Uint8Array) || total.length !== 8) {
    throw new HubError('store.damaged', 'state database: a counter is malformed');
  }
  return { total: totalOfBytes(total), adds: row['adds'] as number };
}

/** SQLite keeps no checksums: what cannot be an order is damage to the file, not a bug of ours. */
function orderOf(row: SqlRow): WriteOrder {
  const rank = row['rank'];
  if (!(rank instanceof Uint8Array) || rank.length !== ORDER_BYTES) {
    throw new HubError('store.damaged', 'state database: a rank is malformed');
  }
  return decodeOrder(rank);
}

function rankOf(row: SqlRow | undefined): WriteOrder | undefined {
  return row === undefined ? undefined : orderOf(row);
}

function eventOf(row: SqlRow): EventWrite {
  return { order: orderOf(row), body: row['body'] as Uint8Array };
}

function fieldOf(row: SqlRow): FieldWrite {
  return { order: orderOf(row), value: row['value'] as Uint8Array };
}
