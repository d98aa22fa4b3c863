/**
 * The folded state in tables: what merge/fold.ts writes to and what the digest reads. The tables hold what is
 * written; events that are still gathered (event-gather.ts) have to be flushed before they are read.
 */
import { concatBytes, utf8 } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { LivingState } from '../merge/digest.ts';
import type { EventWrite, FieldWrite, FoldTarget } from '../merge/fold.ts';
import { decodeOrder, encodeOrder, ORDER_BYTES, type WriteOrder } from '../merge/order.ts';
import { type KeyIds, nameOf } from './key-ids.ts';
import type { SqliteFile, SqlRow } from './sqlite.ts';

const PUT_EVENT = 'INSERT OR REPLACE INTO events (key_id, rank, body) VALUES (?, ?, ?)';
const UPSERT_FIELD = `
  INSERT INTO fields (key_id, field, rank, value) VALUES (?, ?, ?, ?)
  ON CONFLICT (key_id, field) DO UPDATE SET rank = excluded.rank, value = excluded.value`;
const UPSERT_TOMBSTONE = `
  INSERT INTO tombstones (key_id, rank) VALUES (?, ?)
  ON CONFLICT (key_id) DO UPDATE SET rank = excluded.rank`;
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

  putTombstone(key: string, order: WriteOrder): void {
    this.#db.run(UPSERT_TOMBSTONE, [this.#keys.idOf(key), encodeOrder(order)]);
  }

  fieldOrder(key: string, field: string): WriteOrder | undefined {
    const id = this.#keys.find(key);
    if (id === undefined) return undefined;
    const sql = 'SELECT rank FROM fields WHERE key_id = ? AND field = ?';
    return rankOf(this.#db.row(sql, [id, utf8(field)]));
  }

  fieldOrders(key: string): (readonly [string, WriteOrder])[] {
    const rows = this.#db.rows('SELECT field, rank FROM fields WHERE key_id = ?', [
      this.#keys.idOf(key),
    ]);
    return rows.map((row) => [nameOf(row['field']), orderOf(row)] as const);
  }

  putField(key: string, field: string, { order, value }: FieldWrite): void {
    this.#db.run(UPSERT_FIELD, [this.#keys.idOf(key), utf8(field), encodeOrder(order), value]);
  }

  dropField(key: string, field: string): void {
    this.#db.run('DELETE FROM fields WHERE key_id = ? AND field = ?', [
      this.#keys.idOf(key),
      utf8(field),
    ]);
  }

  *events(): Generator<readonly [string, EventWrite]> {
    for (const row of this.#db.each(ALL_EVENTS)) yield [nameOf(row['name']), eventOf(row)];
  }

  *fields(): Generator<readonly [string, string, FieldWrite]> {
    for (const row of this.#db.each(ALL_FIELDS)) {
      yield [nameOf(row['name']), nameOf(row['field']), fieldOf(row)];
    }
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

  /** Count of records with at least one living field. */
  recordCount(): number {
    const row = this.#db.row('SELECT count(DISTINCT key_id) AS count FROM fields');
    return row?.['count'] as number;
  }
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
