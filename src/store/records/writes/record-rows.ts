/**
 * The ops of one record. Where they are few, they are read at once and lie in memory; else each question is answered from an
 * index or by a search within SQLite: of a record with ten thousand ops only what was asked for is decoded.
 */
import { CborWriter } from '../../../codec/writer.ts';
import { type OpId, textOfOpId, writeOpId } from '../../../merge/op-id.ts';
import { encodeOrder, orderAt, type WriteOrder } from '../../../merge/order.ts';
import type { RecordWrite } from '../../../merge/record.ts';
import { kindOfField, markOfField, type RecordOps } from '../../../merge/record/record-ops.ts';
import { ASSET, AUTHORITY, CONTROL, PATCH, REMOVE } from '../../../model/op.ts';
import type { SqliteFile, SqlRow, SqlValue } from '../../database/sqlite.ts';
import type { PackedOps } from './packed-ops.ts';
import { boundAbove, KIND_AT, writeOf } from './packed-write.ts';
import type { UndoIndex } from './undo-index.ts';

// What lies where in an op: packed-write.ts. SQL counts from 1.
export const KIND_IN_OP = `substr(op, ${KIND_AT + 1}, 1)`;
// A prepared statement that is left half read would hold a read transaction open: hence pages.
const REGISTERS = `
  SELECT op FROM writes
  WHERE key_id = ? AND op < ? AND op > ? AND ${KIND_IN_OP} = ? AND (? OR instr(op, ?) > 0)
  ORDER BY op DESC LIMIT ?`;
const REMOVES = `
  SELECT op FROM writes WHERE key_id = ? AND op < ? AND ${KIND_IN_OP} = ${blobOf(REMOVE)}
  ORDER BY op DESC LIMIT ?`;
const ABOVE = 'SELECT op FROM writes WHERE key_id = ? AND op > ? ORDER BY op';
const NAMERS = `
  SELECT op FROM writes WHERE key_id = ? AND op > ? AND op < ?
  AND ${KIND_IN_OP} IN (${blobOf(PATCH)}, ${blobOf(ASSET)}) AND instr(op, ?) > 0`;
const RANKS_OF_ALL = `SELECT substr(op, 1, ${KIND_AT}) AS rank FROM writes WHERE key_id = ?`;
export const ONE = 'SELECT op FROM writes WHERE key_id = ? AND op > ? AND op < ?';
const ORDERS = `
  SELECT substr(op, 1, ${KIND_AT}) AS rank FROM writes
  WHERE key_id = ? AND op > ? AND ${KIND_IN_OP} <> ${blobOf(CONTROL)} ORDER BY op LIMIT ?`;
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
  readonly listOf: (keyId: number) => PackedOps | undefined;
  /** Finds an op by its name; where it lies on another record, which only a liar can do, what is found is not this one. */
  readonly findOp: (
    op: OpId,
  ) => { readonly keyId: number; readonly write: RecordWrite } | undefined;
}

export class RecordRows implements RecordOps {
  readonly #db: Pick<SqliteFile, 'rows'>;
  readonly #id: number;
  readonly #remembered: Remembered;
  /** By name; of one question, which is asked within a turn. */
  #orders: Map<string, WriteOrder> | undefined;

  constructor(db: Pick<SqliteFile, 'rows'>, keyId: number, remembered: Remembered) {
    this.#db = db;
    this.#id = keyId;
    this.#remembered = remembered;
  }

  writeOf(op: OpId): RecordWrite | undefined {
    const listed = this.#listed();
    if (listed !== undefined) return listed.writeOf(op);
    const found = this.#remembered.findOp(op);
    if (found === undefined || found.keyId === this.#id) return found?.write;
    const order = this.#orderNamed(op);
    if (order === undefined) return undefined;
    const [row] = this.#rows(ONE, [this.#id, encodeOrder(order), boundAbove(order)]);
    return row && writeOf(row);
  }

  undosOf(op: OpId): readonly OpId[] {
    return this.#remembered.undos.of(op);
  }

  registerWrites(field: string, below?: WriteOrder, above?: WriteOrder): Iterable<RecordWrite> {
    const listed = this.#listed();
    if (listed !== undefined) return listed.registerWrites(field, below);
    const kind = Uint8Array.of(kindOfField(field));
    const mark = markOfField(field);
    const rank = below === undefined ? TOP : encodeOrder(below);
    const least = above === undefined ? BOTTOM : boundAbove(above);
    const isAny = mark.length === 0 ? 1 : 0;
    // Who asks for what is below a write takes the next one; who asks for all wants them.
    const first = below === undefined ? PAGE_ROWS_ALL : PAGE_ROWS_MIN;
    return this.#pages(rank, first, (from, rows) =>
      this.#rows(REGISTERS, [this.#id, from, least, kind, isAny, mark, rows]),
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
    const rank = above === undefined ? BOTTOM : boundAbove(above);
    return this.#rows(ABOVE, [this.#id, rank]).map((row) => writeOf(row));
  }

  /** In each authority the later ones lie behind the op: an op of the last hour is not looked for in a year. */
  namersOf(op: WriteOrder): RecordWrite[] {
    const writer = new CborWriter(24);
    writeOpId(writer, op);
    const name = writer.finish();
    const listed = this.#listed();
    if (listed !== undefined) return listed.namersOf(op, name);
    return RANKS.flatMap((authority) => {
      const from = boundAbove({ ...op, authority });
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
      const orders = rows.map((row) => orderAt(row['rank'] as Uint8Array, 0));
      yield orders;
      const last = orders.at(-1);
      if (last === undefined || rows.length < ORDERS_PAGE) return;
      above = boundAbove(last);
    }
  }

  /** Looked up among all of the record, which is read once: an undo may name hundreds of ops that are not its own. */
  #orderNamed(op: OpId): WriteOrder | undefined {
    this.#orders ??= new Map(
      this.#rows(RANKS_OF_ALL, [this.#id]).map((row) => {
        const order = orderAt(row['rank'] as Uint8Array, 0);
        return [textOfOpId(order), order];
      }),
    );
    return this.#orders.get(textOfOpId(op));
  }

  #listed(): PackedOps | undefined {
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
      const page = read(below, rows).map((row) => writeOf(row));
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < rows) return;
      below = encodeOrder(last.order);
    }
  }
}

/** A byte as SQL writes it. */
export function blobOf(byte: number): string {
  return `x'${byte.toString(16).padStart(2, '0')}'`;
}
