/**
 * Rows on their way into one table, several to a statement: what a statement costs beside its rows is spent once for eight of
 * them. Whoever adds rows flushes before anything reads the table or writes it otherwise.
 */
import type { SqliteFile, SqlValue } from './sqlite.ts';

const TOGETHER = 8;

interface RowStatement {
  /** `INSERT INTO … VALUES`. */
  readonly insert: string;
  readonly columns: number;
  /** What follows the rows, such as `ON CONFLICT …`. */
  readonly tail?: string;
}

export class RowBatch {
  readonly #db: SqliteFile;
  readonly #columns: number;
  readonly #one: string;
  readonly #together: string;
  #values: SqlValue[] = [];

  constructor(db: SqliteFile, { insert, columns, tail = '' }: RowStatement) {
    this.#db = db;
    this.#columns = columns;
    const row = `(${'?, '.repeat(columns - 1)}?)`;
    this.#one = `${insert} ${row} ${tail}`;
    this.#together = `${insert} ${`${row}, `.repeat(TOGETHER - 1)}${row} ${tail}`;
  }

  /** The bytes of the row stay as they are until it is written. */
  add(...row: SqlValue[]): void {
    for (const value of row) this.#values.push(value);
    if (this.#values.length < this.#columns * TOGETHER) return;
    this.#db.run(this.#together, this.#values);
    this.#values = [];
  }

  flush(): void {
    const values = this.#values;
    this.#values = [];
    for (let at = 0; at < values.length; at += this.#columns) {
      this.#db.run(this.#one, values.slice(at, at + this.#columns));
    }
  }
}
