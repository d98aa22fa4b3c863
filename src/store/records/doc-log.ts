/**
 * Who wrote in a document, and when: its state has no trace of single ops, and people ask. History, not state: the newest steps
 * of each document, as far as this store has folded them itself.
 */
import { compareTimes, encodeOrder, type WriteOrder } from '../../merge/order.ts';
import type { KeyIds } from '../database/key-ids.ts';
import { orderOf } from '../database/rows.ts';
import type { SqliteFile } from '../database/sqlite.ts';

export interface DocStep {
  readonly order: WriteOrder;
  /** Of the update. */
  readonly bytes: number;
}

/** Of one document; a few more may lie there until the next look. */
const STEPS_MAX = 1_000;
const LOOK_STEPS = 64;
const ADD = 'INSERT OR IGNORE INTO doc_steps (key_id, rank, bytes) VALUES (?, ?, ?)';
const DROP = `
  DELETE FROM doc_steps WHERE key_id = ? AND rank IN (
    SELECT rank FROM doc_steps WHERE key_id = ? ORDER BY substr(rank, 2) DESC LIMIT -1 OFFSET ?)`;

export class DocLog {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  #added = 0;

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
  }

  note(key: string, order: WriteOrder, bytes: number): void {
    const id = this.#keys.idOf(key);
    this.#db.run(ADD, [id, encodeOrder(order), bytes]);
    this.#added += 1;
    if (this.#added % LOOK_STEPS === 0) this.#db.run(DROP, [id, id, STEPS_MAX]);
  }

  /** The earliest first. */
  steps(key: string): DocStep[] {
    const id = this.#keys.find(key);
    if (id === undefined) return [];
    const rows = this.#db.rows('SELECT rank, bytes FROM doc_steps WHERE key_id = ?', [id]);
    const steps = rows.map((row) => ({ order: orderOf(row), bytes: row['bytes'] as number }));
    return steps.toSorted((a, b) => compareTimes(a.order, b.order));
  }
}
