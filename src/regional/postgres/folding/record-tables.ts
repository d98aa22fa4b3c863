/** Records on their way out of the tables into a working set, and what changed back again. */
import { EMPTY_BYTES, textOf, utf8 } from '../../../base/bytes.ts';
import { addTo } from '../../../base/groups.ts';
import { jsonOfCbor, type JsonValue } from '../../../codec/json.ts';
import { decodeOrder, encodeOrder } from '../../../merge/order.ts';
import { readAdd, readPatch, readUndo } from '../../../merge/patch.ts';
import { textOfOpId } from '../../../merge/op-id.ts';
import type { Counter, FieldWrite, RecordWrite } from '../../../merge/record.ts';
import {
  ADD,
  CONTROL,
  decodeStampMark,
  encodeStampMark,
  type Kind,
  PATCH,
  UNDO,
} from '../../../model/op.ts';
import type { PgRow, Sql } from '../../../platform/network/postgres.ts';
import {
  byteaArray,
  int2Array,
  int4Array,
  int8Array,
  textArray,
  timeArray,
} from '../binary-arrays.ts';
import { labelOf } from '../key-book.ts';
import type { ChangedRecord, StoredRecord, WorkingSet } from './working-set.ts';

/** In one order, so that two workers with the same records do not wait for each other. */
const LOCK = `
  SELECT k.id, EXISTS (SELECT FROM heliograph.record_write w WHERE w.key_id = k.id AND w.kind = ${UNDO})
      OR EXISTS (SELECT FROM heliograph.record_write w WHERE w.key_id = k.id AND w.kind = ${CONTROL}) AS has_undo,
    EXISTS (SELECT FROM heliograph.conflict c WHERE c.key_id = k.id AND c.closed_at IS NULL) AS has_conflict
  FROM heliograph.key k WHERE k.id = ANY ($1::int[]) ORDER BY k.id FOR UPDATE`;
const TOMBSTONES = 'SELECT key_id, rank FROM heliograph.tombstone WHERE key_id = ANY ($1::int[])';
const FIELDS =
  'SELECT key_id, field, rank, value FROM heliograph.field WHERE key_id = ANY ($1::int[])';
const COUNTERS =
  'SELECT key_id, field, total, adds FROM heliograph.counter WHERE key_id = ANY ($1::int[])';
const WRITES = 'SELECT rank, kind, body, stamp FROM heliograph.record_write WHERE key_id = $1';
const PUT_WRITES = `
  INSERT INTO heliograph.record_write (key_id, rank, kind, body, at, origin, class, seq, authority, content, stamp)
  SELECT k, r, n, b, t, o, c, s, a, j::jsonb, m FROM unnest($1::int[], $2::bytea[], $3::int2[], $4::bytea[],
    $5::timestamptz[], $6::text[], $7::int2[], $8::int8[], $9::int2[], $10::text[], $11::bytea[]) AS w (k, r, n, b, t, o, c, s, a, j, m)
  ON CONFLICT DO NOTHING`;
const DROP_WRITES = `
  DELETE FROM heliograph.record_write w USING unnest($1::int[], $2::bytea[]) AS g (k, r)
  WHERE w.key_id = g.k AND w.rank = g.r`;
const EMPTY = ['tombstone', 'field', 'counter'].map(
  (table) => `DELETE FROM heliograph.${table} WHERE key_id = ANY ($1::int[])`,
);
const PUT_TOMBSTONES = `
  INSERT INTO heliograph.tombstone (key_id, rank) SELECT * FROM unnest($1::int[], $2::bytea[])
  ON CONFLICT (key_id) DO UPDATE SET rank = excluded.rank`;
const PUT_FIELDS = `
  INSERT INTO heliograph.field (key_id, field, rank, value, label, content)
  SELECT k, f, r, v, l, j::jsonb FROM unnest($1::int[], $2::bytea[], $3::bytea[], $4::bytea[], $5::text[], $6::text[])
    AS w (k, f, r, v, l, j)
  ON CONFLICT (key_id, field) DO UPDATE SET rank = excluded.rank, value = excluded.value, content = excluded.content`;
const PUT_COUNTERS = `
  INSERT INTO heliograph.counter (key_id, field, total, adds, label)
  SELECT * FROM unnest($1::int[], $2::bytea[], $3::int8[], $4::int8[], $5::text[])
  ON CONFLICT (key_id, field) DO UPDATE SET total = excluded.total, adds = excluded.adds`;

/** Locks and loads the records; every key has its number. */
export async function loadRecords(
  sql: Sql,
  idByKey: ReadonlyMap<string, number>,
): Promise<Map<string, StoredRecord>> {
  const ids = int4Array([...idByKey.values()].toSorted((a, b) => a - b));
  const flags = byId(await sql.query(LOCK, [ids]), 'id');
  const tombstones = byId(await sql.query(TOMBSTONES, [ids]), 'key_id');
  const fields = byId(await sql.query(FIELDS, [ids]), 'key_id');
  const counters = byId(await sql.query(COUNTERS, [ids]), 'key_id');
  const records = new Map<string, StoredRecord>();
  for (const [key, id] of idByKey) {
    const [flag] = flags.get(id) ?? [];
    const [tombstone] = tombstones.get(id) ?? [];
    records.set(key, {
      id,
      tombstone: tombstone === undefined ? undefined : orderIn(tombstone),
      fields: new Map((fields.get(id) ?? []).map((row) => [nameIn(row), fieldIn(row)])),
      counters: new Map((counters.get(id) ?? []).map((row) => [nameIn(row), counterIn(row)])),
      hasUndo: flag?.['has_undo'] === true,
      hasOpenConflict: flag?.['has_conflict'] === true,
    });
  }
  return records;
}

/** All ops on a record. */
export async function loadWrites(sql: Sql, id: number): Promise<RecordWrite[]> {
  const rows = await sql.query(WRITES, [id]);
  return rows.map((row) => ({
    order: orderIn(row),
    kind: row['kind'] as Kind,
    body: row['body'] as Uint8Array,
    stamp: decodeStampMark((row['stamp'] as Uint8Array | null) ?? EMPTY_BYTES),
  }));
}

/** Writes what the fold has changed. */
export async function saveRecords(sql: Sql, { records }: WorkingSet): Promise<void> {
  const changed = [...records.values()];
  await saveWrites(sql, changed);
  const replaced = changed.filter(({ isReplaced }) => isReplaced);
  if (replaced.length > 0) {
    const ids = int4Array(replaced.map(({ id }) => id));
    for (const statement of EMPTY) await sql.query(statement, [ids]);
  }
  const dead = replaced.flatMap(({ id, tombstone }) =>
    tombstone === undefined ? [] : [{ id, tombstone }],
  );
  if (dead.length > 0) {
    const ranks = byteaArray(dead.map(({ tombstone }) => encodeOrder(tombstone)));
    await sql.query(PUT_TOMBSTONES, [int4Array(dead.map(({ id }) => id)), ranks]);
  }
  await saveFields(sql, changed);
  await saveCounters(sql, changed);
}

async function saveWrites(sql: Sql, changed: readonly ChangedRecord[]): Promise<void> {
  const gone = changed.flatMap(({ id, replaced }) => replaced.map(({ order }) => ({ id, order })));
  if (gone.length > 0) {
    const ranks = byteaArray(gone.map(({ order }) => encodeOrder(order)));
    await sql.query(DROP_WRITES, [int4Array(gone.map(({ id }) => id)), ranks]);
  }
  const writes = changed.flatMap(({ id, added }) => added.map((write) => ({ id, ...write })));
  if (writes.length === 0) return;
  const orders = writes.map(({ order }) => order);
  await sql.query(PUT_WRITES, [
    int4Array(writes.map(({ id }) => id)),
    byteaArray(orders.map((order) => encodeOrder(order))),
    int2Array(writes.map(({ kind }) => kind)),
    byteaArray(writes.map(({ body }) => body)),
    timeArray(orders.map(({ hlc }) => hlc.ms)),
    textArray(orders.map(({ origin }) => origin)),
    int2Array(orders.map((order) => order.class)),
    int8Array(orders.map(({ seq }) => seq)),
    int2Array(orders.map(({ authority }) => authority)),
    textArray(writes.map((write) => jsonbOf(contentOf(write)))),
    byteaArray(
      writes.map(({ stamp }) => (stamp === undefined ? EMPTY_BYTES : encodeStampMark(stamp))),
    ),
  ]);
}

async function saveFields(sql: Sql, changed: readonly ChangedRecord[]): Promise<void> {
  const rows = changed.flatMap(({ id, fields, changedFields }) =>
    [...changedFields].flatMap((field) => {
      const write = fields.get(field);
      return write === undefined ? [] : [{ id, field, ...write }];
    }),
  );
  if (rows.length === 0) return;
  await sql.query(PUT_FIELDS, [
    int4Array(rows.map(({ id }) => id)),
    byteaArray(rows.map(({ field }) => utf8(field))),
    byteaArray(rows.map(({ order }) => encodeOrder(order))),
    byteaArray(rows.map(({ value }) => value)),
    textArray(rows.map(({ field }) => labelOf(field))),
    textArray(rows.map(({ value }) => jsonbOf(jsonOfCbor(value)))),
  ]);
}

async function saveCounters(sql: Sql, changed: readonly ChangedRecord[]): Promise<void> {
  const rows = changed.flatMap(({ id, counters, changedCounters }) =>
    [...changedCounters].flatMap((field) => {
      const counter = counters.get(field);
      return counter === undefined ? [] : [{ id, field, ...counter }];
    }),
  );
  if (rows.length === 0) return;
  await sql.query(PUT_COUNTERS, [
    int4Array(rows.map(({ id }) => id)),
    byteaArray(rows.map(({ field }) => utf8(field))),
    int8Array(rows.map(({ total }) => total)),
    int8Array(rows.map(({ adds }) => adds)),
    textArray(rows.map(({ field }) => labelOf(field))),
  ]);
}

/** What an op says, for people. */
function contentOf({ kind, body }: RecordWrite): JsonValue {
  if (kind === PATCH) {
    const fields = [...(readPatch(body)?.fields ?? [])];
    return Object.fromEntries(fields.map(([name, value]) => [name, jsonOfCbor(value)]));
  }
  if (kind === ADD) {
    return Object.fromEntries(
      [...(readAdd(body) ?? [])].map(([name, delta]) => [name, String(delta)]),
    );
  }
  if (kind === UNDO) return (readUndo(body) ?? []).map((id) => textOfOpId(id));
  return null;
}

/** JSON without U+0000, which jsonb does not take. */
function jsonbOf(value: JsonValue): string {
  return JSON.stringify(value).replaceAll(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1\\u2400');
}

function byId(rows: readonly PgRow[], column: string): Map<number, PgRow[]> {
  const grouped = new Map<number, PgRow[]>();
  for (const row of rows) addTo(grouped, row[column] as number, row);
  return grouped;
}

export function orderIn(row: PgRow, column = 'rank'): ReturnType<typeof decodeOrder> {
  return decodeOrder(row[column] as Uint8Array);
}

export function nameIn(row: PgRow, column = 'field'): string {
  return textOf(row[column] as Uint8Array) ?? '';
}

export function fieldIn(row: PgRow): FieldWrite {
  return { order: orderIn(row), value: row['value'] as Uint8Array };
}

export function counterIn(row: PgRow): Counter {
  return { total: BigInt(row['total'] as string), adds: Number(row['adds']) };
}
