/**
 * The ops of one record. Where they are few, they are read at once and lie in memory; else each question is answered from an
 * index or by a search within SQLite: of a record with ten thousand ops only what was asked for is decoded.
 */
import { CborWriter } from '../../../codec/writer.ts';
import { type OpId, writeOpId } from '../../../merge/op-id.ts';
import { encodeOrder, ORIGIN_AT, type WriteOrder } from '../../../merge/order.ts';
import type { RecordWrite } from '../../../merge/record.ts';
import {
  kindOfField,
  type ListedOps,
  markOfField,
  type RecordOps,
} from '../../../merge/record/record-ops.ts';
import { HLC_ZERO } from '../../../model/hlc.ts';
import { ASSET, AUTHORITY, CONTROL, PATCH, REMOVE } from '../../../model/op.ts';
import { orderOf, writeOf } from '../../database/rows.ts';
import type { SqliteFile, SqlRow, SqlValue } from '../../database/sqlite.ts';
import type { UndoIndex } from './undo-index.ts';

export const COLUMNS = 'rank, kind, body, stamp';
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
  WHERE key_id = ? AND rank > ? AND rank < ? AND kind IN (${PATCH}, ${ASSET}) AND instr(body, ?) > 0`;
const BY_OP = `
  SELECT ${COLUMNS} FROM writes INDEXED BY writes_by_op
  WHERE substr(rank, 10) = ? AND key_id = ?`;
const ORDERS = `
  SELECT rank FROM writes WHERE key_id = ? AND rank > ? AND kind <> ${CONTROL} ORDER BY rank LIMIT ?`;
/** Above every rank. */
const TOP = new Uint8Array(1).fill(0xff);
const BOTTOM = new Uint8Array(0);
const PAGE_ROWS_MIN = 4;
const PAGE_ROWS_ALL = 64;
const PAGE_ROWS_MAX = 256;
const ORDERS_PAGE = 512;
const RANKS = Object.values(AUTHORITY);

/** What of the ops lies in memory, since every op that comes is asked about. */
export interface Remembered {
  /** Writes those of a record that are not in the table yet; before the table is read. */
  readonly settle: (keyId: number) => void;
  readonly undos: UndoIndex;
  readonly horizonsOf: (keyId: number) => readonly RecordWrite[];
  /** All ops of a record that has few. */
  readonly listOf: (keyId: number) => ListedOps | undefined;
}

export class RecordRows implements RecordOps {
  readonly #db: SqliteFile;
  readonly #id: number;
  readonly #remembered: Remembered;

  constructor(db: SqliteFile, keyId: number, remembered: Remembered) {
    this.#db = db;
    this.#id = keyId;
    this.#remembered = remembered;
  }

  writeOf(op: OpId): RecordWrite | undefined {
    const listed = this.#listed();
    if (listed !== undefined) return listed.writeOf(op);
    const [row] = this.#rows(BY_OP, [nameOfOp(op), this.#id]);
    return row === undefined ? undefined : writeOf(row);
  }

  undosOf(op: OpId): readonly OpId[] {
    return this.#remembered.undos.of(op);
  }

  registerWrites(field: string, below?: WriteOrder): Iterable<RecordWrite> {
    const listed = this.#listed();
    if (listed !== undefined) return listed.registerWrites(field, below);
    const kind = kindOfField(field);
    const mark = markOfField(field);
    const rank = below === undefined ? TOP : encodeOrder(below);
    const isAny = mark.length === 0 ? 1 : 0;
    // Who asks for what is below a write takes the next one; who asks for all wants them.
    const first = below === undefined ? PAGE_ROWS_ALL : PAGE_ROWS_MIN;
    return this.#pages(rank, first, (from, rows) =>
      this.#rows(REGISTERS, [this.#id, from, kind, isAny, mark, rows]),
    );
  }

  removes(): Iterable<RecordWrite> {
    const listed = this.#listed();
    if (listed !== undefined) return listed.removes();
    return this.#pages(TOP, PAGE_ROWS_MIN, (from, rows) =>
      this.#rows(REMOVES, [this.#id, from, rows]),
    );
  }

  writesAbove(above: WriteOrder | undefined): RecordWrite[] {
    const listed = this.#listed();
    if (listed !== undefined) return listed.writesAbove(above);
    const rank = above === undefined ? BOTTOM : encodeOrder(above);
    return this.#rows(ABOVE, [this.#id, rank]).map((row) => writeOf(row));
  }

  /** In each authority the later ones lie behind the op: an op of the last hour is not looked for in a year. */
  namersOf(op: WriteOrder): RecordWrite[] {
    const listed = this.#listed();
    if (listed !== undefined) return listed.namersOf(op);
    const writer = new CborWriter(24);
    writeOpId(writer, op);
    const name = writer.finish();
    return RANKS.flatMap((authority) => {
      const from = encodeOrder({ ...op, authority });
      const values = [this.#id, from, Uint8Array.of(authority + 1), name];
      return this.#rows(NAMERS, values).map((row) => writeOf(row));
    });
  }

  horizons(): readonly RecordWrite[] {
    return this.#remembered.horizonsOf(this.#id);
  }

  *orders(): Generator<WriteOrder[]> {
    for (let above: Uint8Array = BOTTOM; ;) {
      const rows = this.#rows(ORDERS, [this.#id, above, ORDERS_PAGE]);
      yield rows.map((row) => orderOf(row));
      const last = rows.at(-1);
      if (last === undefined || rows.length < ORDERS_PAGE) return;
      above = last['rank'] as Uint8Array;
    }
  }

  #listed(): ListedOps | undefined {
    return this.#remembered.listOf(this.#id);
  }

  #rows(sql: string, values: SqlValue[]): SqlRow[] {
    this.#remembered.settle(this.#id);
    return this.#db.rows(sql, values);
  }

  /** Page by page from below `rank` on, each larger than the one before: mostly the first row is enough. */
  *#pages(
    rank: Uint8Array,
    first: number,
    read: (below: Uint8Array, rows: number) => SqlRow[],
  ): Generator<RecordWrite> {
    let below = rank;
    for (let rows = first; ; rows = Math.min(rows * 4, PAGE_ROWS_MAX)) {
      const page = read(below, rows);
      for (const row of page) yield writeOf(row);
      const last = page.at(-1);
      if (last === undefined || page.length < rows) return;
      below = last['rank'] as Uint8Array;
    }
  }
}

/** What ends the rank of the op: origin, seq, class. */
export function nameOfOp({ origin, class: opClass, seq }: OpId): Uint8Array {
  const order = { authority: 0, hlc: HLC_ZERO, origin, class: opClass, seq };
  return encodeOrder(order).subarray(ORIGIN_AT);
}
