/** What older versions kept of records, brought into the tables of this one. */
import { compareBytes, EMPTY_BYTES } from '../../base/bytes.ts';
import { CborWriter, encodeCbor } from '../../codec/writer.ts';
import { ASSET_FIELD } from '../../merge/asset/asset-version.ts';
import { type Counter, totalOfBytes } from '../../merge/record.ts';
import { decodeStampMark, type Kind, PATCH, REMOVE } from '../../model/op.ts';
import {
  hlcOfField,
  orderNameOf,
  orderOfField,
  packField,
  packRecord,
  type PackedField,
  unpackField,
  unpackRecord,
} from '../records/packed-record.ts';
import { WriteRows } from '../records/writes/write-rows.ts';
import { nameOf } from './key-ids.ts';
import { orderOf, rankOf } from './rows.ts';
import type { SqliteFile, SqlRow } from './sqlite.ts';

/** Version since which an op on a record is one column, and since which a record is one row. */
const PACKED_OPS_SINCE = 12;
const PACKED_RECORDS_SINCE = 13;
const KEYS = `
  SELECT key_id FROM tombstones UNION SELECT key_id FROM fields UNION SELECT key_id FROM counters`;

/** Fills the tables that the steps from `version` on have made, and drops those whose place they take. */
export function repack(db: SqliteFile, version: number): void {
  if (version < PACKED_OPS_SINCE) repackWrites(db);
  if (version < PACKED_RECORDS_SINCE) repackRecords(db);
}

/**
 * Makes ops of records from what stands, where the ops themselves were not kept: each prevailing write becomes a
 * patch of the fields that it still holds. What was covered before cannot be brought back by an undo.
 */
export function seedWrites(db: SqliteFile): void {
  if (db.row('SELECT 1 FROM writes LIMIT 1') !== undefined) return;
  const writer = new WriteRows(db);
  for (const row of db.each('SELECT key_id, state FROM records')) {
    const keyId = row['key_id'] as number;
    const { tombstone, fields } = unpackRecord(row['state']);
    if (tombstone !== undefined) {
      writer.add(keyId, { order: tombstone, kind: REMOVE, body: EMPTY_BYTES });
    }
    const byOrder = new Map<string, [string, PackedField][]>();
    for (const field of fields) {
      const order = orderNameOf(field[1]);
      byOrder.set(order, [...(byOrder.get(order) ?? []), field]);
    }
    for (const written of byOrder.values()) {
      const order = orderOfField((written[0] as [string, PackedField])[1]);
      writer.add(keyId, { order, kind: PATCH, body: patchOf(written) });
    }
  }
  writer.finish();
}

function patchOf(written: readonly (readonly [string, PackedField])[]): Uint8Array {
  const fields = written.map(([name, packed]) => ({ name: encodeCbor(name), packed }));
  const body = new CborWriter(256).map(fields.length);
  for (const { name, packed } of fields.toSorted((a, b) => compareBytes(a.name, b.name))) {
    body.raw(name).raw(unpackField(packed).value);
  }
  return body.finish();
}

/** Brings ops on records from five columns into one. */
function repackWrites(db: SqliteFile): void {
  const writer = new WriteRows(db);
  for (const row of db.each('SELECT * FROM old_writes')) {
    const { key_id: keyId, kind, body, stamp } = row;
    const mark = stamp instanceof Uint8Array ? decodeStampMark(stamp) : undefined;
    const write = { order: orderOf(row), kind: kind as Kind, body: body as Uint8Array };
    writer.add(keyId as number, mark === undefined ? write : { ...write, stamp: mark });
  }
  writer.finish();
  db.exec('DROP TABLE old_writes');
}

/** Brings tombstone, fields and counters of each record into its row. */
function repackRecords(db: SqliteFile): void {
  for (const { key_id: id } of db.each(KEYS)) {
    const of = (columns: string, table: string): SqlRow[] =>
      db.rows(`SELECT ${columns} FROM ${table} WHERE key_id = ?`, [id as number]);
    const tombstone = rankOf(of('rank', 'tombstones')[0]);
    const fields = new Map<string, PackedField>();
    for (const row of of('field, rank, value', 'fields')) {
      const value = row['value'] as Uint8Array;
      fields.set(nameOf(row['field']), packField({ order: orderOf(row), value }));
    }
    const counters = new Map<string, Counter>();
    for (const row of of('field, total, adds', 'counters')) {
      const total = totalOfBytes(row['total'] as Uint8Array);
      counters.set(nameOf(row['field']), { total, adds: row['adds'] as number });
    }
    const state = packRecord({ tombstone, fields, counters });
    db.run('INSERT INTO records (key_id, state) VALUES (?, ?)', [id as number, state]);
    const asset = fields.get(ASSET_FIELD);
    if (asset === undefined) continue;
    db.run('INSERT INTO assets (key_id, hlc) VALUES (?, ?)', [id as number, hlcOfField(asset)]);
  }
  db.exec('DROP TABLE tombstones; DROP TABLE fields; DROP TABLE counters');
}
