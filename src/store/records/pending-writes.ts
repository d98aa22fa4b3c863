/**
 * Ops on records that are folded and not yet in their table. A burst of edits goes all over the site: written one by one,
 * each would change a page of its own, which is read, and written to the card, for sixty bytes. Gathered and written in the
 * order of the table, many share a page. Whoever reads a record's ops settles that record before.
 */
import { compareBytes } from '../../base/bytes.ts';
import type { SqliteFile, SqlValue } from '../sqlite.ts';

/** Rank, kind, body, and the mark of the stamp. */
export type PendingRow = readonly [
  rank: Uint8Array,
  kind: number,
  body: Uint8Array,
  mark: Uint8Array | null,
];

/** What may wait: memory, and how long it takes to write all of it at once. */
const ROWS_MAX = 8_192;
const BYTES_MAX = 4 << 20;
/** What a row takes beside its body. */
const ROW_BYTES = 200;
/** Rows of one statement. */
const TOGETHER = 8;
const ROW = '(?, ?, ?, ?, ?)';
const INSERT = `INSERT OR IGNORE INTO writes (key_id, rank, kind, body, stamp) VALUES ${ROW}`;
const INSERT_TOGETHER = `${INSERT}${`, ${ROW}`.repeat(TOGETHER - 1)}`;

export class PendingWrites {
  readonly #db: SqliteFile;
  readonly #byKey = new Map<number, PendingRow[]>();
  #rows = 0;
  #bytes = 0;
  /** Keys that are still to be written, the last one first. */
  #order: number[] = [];

  constructor(db: SqliteFile) {
    this.#db = db;
  }

  get isEmpty(): boolean {
    return this.#rows === 0;
  }

  /** True where they should be written before more is added. */
  get isDue(): boolean {
    return this.#rows >= ROWS_MAX || this.#bytes > BYTES_MAX;
  }

  /** The bytes of the row are kept. */
  add(keyId: number, row: PendingRow): void {
    const known = this.#byKey.get(keyId);
    if (known === undefined) this.#byKey.set(keyId, [row]);
    else known.push(row);
    this.#rows += 1;
    this.#bytes += row[2].length + ROW_BYTES;
  }

  /** The record that an op, by what ends its rank, was made on. */
  keyIdOf(name: Uint8Array): number | undefined {
    for (const [keyId, rows] of this.#byKey) {
      if (rows.some(([rank]) => endsWith(rank, name))) return keyId;
    }
    return undefined;
  }

  /** Writes those of one record. */
  settle(keyId: number): void {
    const rows = this.#take(keyId);
    if (rows !== undefined) this.#write(rows.map((row) => [keyId, ...row] as const));
  }

  /** Writes those of at most `keysMax` records, in the order of the table; true where none is left. */
  flush(keysMax: number): boolean {
    if (this.#rows === 0) return true;
    if (this.#order.length === 0) this.#order = [...this.#byKey.keys()].toSorted((a, b) => b - a);
    const together: (readonly [number, ...PendingRow])[] = [];
    for (let count = 0; count < keysMax; count++) {
      const keyId = this.#order.pop();
      if (keyId === undefined) break;
      const rows = this.#take(keyId) ?? [];
      rows.sort((a, b) => compareBytes(a[0], b[0]));
      for (const row of rows) together.push([keyId, ...row]);
    }
    this.#write(together);
    return this.#rows === 0;
  }

  /** Forgets all: the tables were replaced. */
  clear(): void {
    this.#byKey.clear();
    this.#order = [];
    this.#rows = this.#bytes = 0;
  }

  #take(keyId: number): PendingRow[] | undefined {
    const rows = this.#byKey.get(keyId);
    if (rows === undefined) return undefined;
    this.#byKey.delete(keyId);
    this.#rows -= rows.length;
    for (const [, , body] of rows) this.#bytes -= body.length + ROW_BYTES;
    return rows;
  }

  #write(rows: readonly (readonly [number, ...PendingRow])[]): void {
    let at = 0;
    for (; at + TOGETHER <= rows.length; at += TOGETHER) {
      const values: SqlValue[] = rows.slice(at, at + TOGETHER).flat();
      this.#db.run(INSERT_TOGETHER, values);
    }
    for (const row of rows.slice(at)) this.#db.run(INSERT, [...row]);
  }
}

function endsWith(bytes: Uint8Array, end: Uint8Array): boolean {
  const from = bytes.length - end.length;
  for (let i = end.length - 1; i >= 0; i--) if (bytes[from + i] !== end[i]) return false;
  return true;
}
