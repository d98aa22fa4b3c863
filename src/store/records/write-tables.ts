/**
 * The ops on records in their table, each question answered from an index or by a search within SQLite: of a record with
 * ten thousand ops only what was asked for is decoded. Undos lie in memory by what they name, since every op that comes is
 * asked about.
 */

import { CborWriter } from '../../codec/writer.ts';
import { ASSET_HASH_AT } from '../../merge/asset-version.ts';
import { type OpId, textOfOpId, writeOpId } from '../../merge/op-id.ts';
import { encodeOrder, ORIGIN_AT, type WriteOrder } from '../../merge/order.ts';
import { readUndo } from '../../merge/patch.ts';
import { isSameOp, type RecordWrite } from '../../merge/record.ts';
import { kindOfField, markOfField, type RecordOps } from '../../merge/record/record-ops.ts';
import { HLC_ZERO } from '../../model/hlc.ts';
import { ASSET, CONTROL, encodeStampMark, PATCH, REMOVE, UNDO } from '../../model/op.ts';
import { bytesOfOrigin, splitLane } from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import { type KeyIds, nameOf } from '../key-ids.ts';
import { orderOf, writeOf } from '../rows.ts';
import type { SqliteFile, SqlRow, SqlValue } from '../sqlite.ts';

const ADD = `
  INSERT OR IGNORE INTO writes (key_id, rank, kind, body, stamp) VALUES (?, ?, ?, ?, ?)`;
const COLUMNS = 'rank, kind, body, stamp';
// A prepared statement that is left half read would hold a read transaction open: hence pages.
const REGISTERS = `
  SELECT ${COLUMNS} FROM writes
  WHERE key_id = ? AND rank < ? AND kind = ? AND (? OR instr(body, ?) > 0) ORDER BY rank DESC LIMIT ?`;
const REMOVES = `
  SELECT ${COLUMNS} FROM writes WHERE key_id = ? AND rank < ? AND kind = ${REMOVE}
  ORDER BY rank DESC LIMIT ?`;
const ABOVE = `SELECT ${COLUMNS} FROM writes WHERE key_id = ? AND rank > ? ORDER BY rank`;
const NAMERS = `
  SELECT ${COLUMNS} FROM writes
  WHERE key_id = ? AND kind IN (${PATCH}, ${ASSET}) AND instr(body, ?) > 0`;
const HORIZONS = `
  SELECT ${COLUMNS} FROM writes INDEXED BY writes_horizon WHERE key_id = ? AND kind = ${CONTROL}`;
const BY_OP = `
  SELECT ${COLUMNS} FROM writes INDEXED BY writes_by_op
  WHERE substr(rank, 10) = ? AND key_id = ?`;
const ALL = `
  SELECT name, ${COLUMNS} FROM keys JOIN writes ON writes.key_id = keys.id
  ORDER BY name, rank`;
const BY_CONTENT = `
  SELECT name, ${COLUMNS} FROM writes JOIN keys ON keys.id = writes.key_id
  WHERE kind = ${ASSET} AND substr(body, ${ASSET_HASH_AT + 1}, 32) = ? LIMIT ?`;
const COVERED = `
  key_id = ? AND kind <> ${CONTROL}
  AND substr(rank, 10, 8) = ? AND substr(rank, 18, 8) <= ? AND substr(rank, 26, 1) = ?`;
/** Above every rank. */
const TOP = new Uint8Array(1).fill(0xff);
const BOTTOM = new Uint8Array(0);
const PAGE_ROWS_MIN = 4;
const PAGE_ROWS_MAX = 256;

const LONGEST = `
  SELECT name, count FROM keys JOIN (
    SELECT key_id, count(*) AS count FROM writes GROUP BY key_id HAVING count(*) >= ?
    ORDER BY count(*) DESC LIMIT ?
  ) ON key_id = keys.id`;
/** A horizon is drawn when so much more has come, not with every op. */
const SLACK = 1.25;
/** Records that are given at once. */
const CROWDED_MAX = 16;
/** A history that is shorter is not worth a horizon. */
const HALVED_MIN = 8;

/** How many ops on records are kept one by one. */
export interface HistoryLimits {
  readonly opsMax: number;
  readonly editsMax: number;
}

/** A record with too many, and how many of the newest shall stay. */
export interface Crowded {
  readonly key: string;
  readonly keep: number;
}

export class WriteTables implements RecordOps {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  /** Undos by the names of the ops that they name. */
  readonly #undosByTarget = new Map<string, OpId[]>();
  /** Records with a horizon. */
  readonly #folded = new Set<number>();
  /** Records that got an op since they were last looked at. */
  readonly #grown = new Set<number>();

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
  }

  add(key: string, { order, kind, body, stamp }: RecordWrite): boolean {
    const mark = stamp === undefined ? null : encodeStampMark(stamp);
    const id = this.#keys.idOf(key);
    const added = this.#db.run(ADD, [id, encodeOrder(order), kind, body, mark]) > 0;
    if (added && kind === UNDO) this.#noteUndo(order, body);
    if (added && kind === CONTROL) this.#folded.add(id);
    if (added) this.#grown.add(id);
    return added;
  }

  replace(key: string, before: RecordWrite, write: RecordWrite): void {
    this.#drop(this.#keys.idOf(key), before);
    this.add(key, write);
  }

  dropCovered(key: string, vector: VersionVector, gone: readonly RecordWrite[]): void {
    const id = this.#keys.idOf(key);
    for (const [lane, seq] of vector) {
      const { origin, class: opClass } = splitLane(lane);
      const seqBytes = nameOfOp({ origin, class: opClass, seq }).subarray(8, 16);
      const values = [id, bytesOfOrigin(origin), seqBytes, Uint8Array.of(opClass)];
      const undos = `SELECT rank, body FROM writes WHERE kind = ${UNDO} AND ${COVERED}`;
      for (const row of this.#db.rows(undos, values)) {
        this.#forgetUndo(orderOf(row), row['body'] as Uint8Array);
      }
      this.#db.run(`DELETE FROM writes WHERE ${COVERED}`, values);
    }
    for (const horizon of gone) this.#drop(id, horizon);
  }

  writeOf(key: string, op: OpId): RecordWrite | undefined {
    const id = this.#keys.find(key);
    if (id === undefined) return undefined;
    const row = this.#db.row(BY_OP, [nameOfOp(op), id]);
    return row === undefined ? undefined : writeOf(row);
  }

  undosOf(_key: string, op: OpId): readonly OpId[] {
    return this.#undosByTarget.get(textOfOpId(op)) ?? [];
  }

  *registerWrites(key: string, field: string, below?: WriteOrder): Generator<RecordWrite> {
    const id = this.#keys.find(key);
    if (id === undefined) return;
    const kind = kindOfField(field);
    const mark = markOfField(field);
    const rank = below === undefined ? TOP : encodeOrder(below);
    yield* this.#pages(rank, (from, rows) =>
      this.#db.rows(REGISTERS, [id, from, kind, mark.length === 0 ? 1 : 0, mark, rows]),
    );
  }

  *removes(key: string): Generator<RecordWrite> {
    const id = this.#keys.find(key);
    if (id === undefined) return;
    yield* this.#pages(TOP, (from, rows) => this.#db.rows(REMOVES, [id, from, rows]));
  }

  writesAbove(key: string, above: WriteOrder | undefined): RecordWrite[] {
    return this.#rows(key, ABOVE, above === undefined ? BOTTOM : encodeOrder(above));
  }

  /** All ops on the record, in the order in which the later prevails. */
  all(key: string): RecordWrite[] {
    return this.writesAbove(key, undefined);
  }

  namersOf(key: string, op: OpId): RecordWrite[] {
    const writer = new CborWriter(24);
    writeOpId(writer, op);
    return this.#rows(key, NAMERS, writer.finish());
  }

  horizons(key: string): RecordWrite[] {
    const id = this.#folded.size === 0 ? undefined : this.#keys.find(key);
    if (id === undefined || !this.#folded.has(id)) return [];
    return this.#db.rows(HORIZONS, [id]).map((row) => writeOf(row));
  }

  /** Key of the record that the op was made on. */
  keyOfOp(op: OpId): string | undefined {
    const sql = `
      SELECT name FROM writes INDEXED BY writes_by_op JOIN keys ON keys.id = writes.key_id
      WHERE substr(rank, 10) = ?`;
    const row = this.#db.row(sql, [nameOfOp(op)]);
    return row === undefined ? undefined : nameOf(row['name']);
  }

  *everywhere(): Generator<readonly [string, RecordWrite]> {
    for (const row of this.#db.each(ALL)) yield [nameOf(row['name']), writeOf(row)];
  }

  /** Keys of the records that have ops. */
  keysOfAll(): string[] {
    const sql = 'SELECT name FROM keys WHERE id IN (SELECT key_id FROM writes) ORDER BY name';
    return this.#db.rows(sql).map((row) => nameOf(row['name']));
  }

  /** Records that grew beyond a limit: `opsMax` of one, with some slack, or `editsMax` of all. */
  crowded({ opsMax, editsMax }: HistoryLimits): Crowded[] {
    if (this.#grown.size === 0) return [];
    const most = Math.ceil(opsMax * SLACK);
    const crowded: Crowded[] = [];
    for (const id of this.#grown) {
      if (crowded.length === CROWDED_MAX) return crowded;
      const beyond = this.#db.row('SELECT 1 FROM writes WHERE key_id = ? LIMIT 1 OFFSET ?', [
        id,
        most,
      ]);
      if (beyond !== undefined) crowded.push({ key: this.#keyOf(id), keep: opsMax });
      this.#grown.delete(id);
    }
    const all = this.#db.row('SELECT count(*) AS count FROM writes')?.['count'] as number;
    if (crowded.length > 0 || all <= editsMax * SLACK) return crowded;
    return this.#db
      .rows(LONGEST, [HALVED_MIN, CROWDED_MAX])
      .map((row) => ({ key: nameOf(row['name']), keep: Math.floor((row['count'] as number) / 2) }));
  }

  /** Versions of assets that name the content, standing or not. */
  versionsOf(sha256: Uint8Array, limit: number): (readonly [key: string, write: RecordWrite])[] {
    const rows = this.#db.rows(BY_CONTENT, [sha256, limit]);
    return rows.map((row) => [nameOf(row['name']), writeOf(row)] as const);
  }

  /** Reads what is kept in memory: after opening, and when the tables were replaced. */
  load(): void {
    this.#undosByTarget.clear();
    this.#folded.clear();
    for (const row of this.#db.each(`SELECT rank, body FROM writes WHERE kind = ${UNDO}`)) {
      this.#noteUndo(orderOf(row), row['body'] as Uint8Array);
    }
    const folded = `SELECT key_id FROM writes INDEXED BY writes_horizon WHERE kind = ${CONTROL}`;
    for (const row of this.#db.rows(folded)) this.#folded.add(row['key_id'] as number);
  }

  /** Page by page from below `rank` on, each larger than the one before: mostly the first row is enough. */
  *#pages(
    rank: Uint8Array,
    read: (below: Uint8Array, rows: number) => SqlRow[],
  ): Generator<RecordWrite> {
    let below = rank;
    for (let rows = PAGE_ROWS_MIN; ; rows = Math.min(rows * 4, PAGE_ROWS_MAX)) {
      const page = read(below, rows);
      for (const row of page) yield writeOf(row);
      const last = page.at(-1);
      if (last === undefined || page.length < rows) return;
      below = last['rank'] as Uint8Array;
    }
  }

  #rows(key: string, sql: string, value: SqlValue): RecordWrite[] {
    const id = this.#keys.find(key);
    if (id === undefined) return [];
    return this.#db.rows(sql, [id, value]).map((row) => writeOf(row));
  }

  #keyOf(id: number): string {
    return nameOf(this.#db.row('SELECT name FROM keys WHERE id = ?', [id])?.['name'] ?? null);
  }

  #drop(keyId: number, { order, kind, body }: RecordWrite): void {
    this.#db.run('DELETE FROM writes WHERE key_id = ? AND rank = ?', [keyId, encodeOrder(order)]);
    if (kind === UNDO) this.#forgetUndo(order, body);
  }

  #noteUndo({ origin, class: opClass, seq }: OpId, body: Uint8Array): void {
    const undo = { origin, class: opClass, seq };
    for (const id of readUndo(body) ?? []) {
      const name = textOfOpId(id);
      const undos = this.#undosByTarget.get(name);
      if (undos === undefined) this.#undosByTarget.set(name, [undo]);
      else undos.push(undo);
    }
  }

  #forgetUndo(undo: OpId, body: Uint8Array): void {
    for (const id of readUndo(body) ?? []) {
      const name = textOfOpId(id);
      const left = this.#undosByTarget.get(name)?.filter((each) => !isSameOp(each, undo)) ?? [];
      if (left.length === 0) this.#undosByTarget.delete(name);
      else this.#undosByTarget.set(name, left);
    }
  }
}

/** What ends the rank of the op: origin, seq, class. */
function nameOfOp({ origin, class: opClass, seq }: OpId): Uint8Array {
  const order = { authority: 0, hlc: HLC_ZERO, origin, class: opClass, seq };
  return encodeOrder(order).subarray(ORIGIN_AT);
}
