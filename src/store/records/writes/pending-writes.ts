/**
 * Ops on records that are folded and not yet in their table. A burst of edits goes all over the site: written one by one,
 * each would change a page of its own, which is read, and written to the card, for sixty bytes. Gathered and written in the
 * order of the table, many share a page. Whoever asks the table for a record's ops settles that record before.
 */
import type { OpId } from '../../../merge/op-id.ts';
import { compareOrders, encodeOrder } from '../../../merge/order.ts';
import { isSameOp, type RecordWrite } from '../../../merge/record.ts';
import { encodeStampMark } from '../../../model/op.ts';
import { RowBatch } from '../../database/row-batch.ts';
import type { SqliteFile } from '../../database/sqlite.ts';

/** What may wait: memory, and how long it takes to write all of it at once. */
const ROWS_MAX = 16_384;
const BYTES_MAX = 6 << 20;
/** What a row takes beside its body. */
const ROW_BYTES = 200;
const INSERT = 'INSERT OR IGNORE INTO writes (key_id, rank, kind, body, stamp) VALUES';
const NONE: readonly RecordWrite[] = [];
/** Bodies are copied into pieces of this size: a buffer for each of them costs as much as all else that is done for an op. */
const SHELF_BYTES = 1 << 16;
const SHELVED_BYTES_MAX = 1 << 12;

export class PendingWrites {
  readonly #batch: RowBatch;
  readonly #byKey = new Map<number, RecordWrite[]>();
  #rows = 0;
  #bytes = 0;
  /** Keys that are still to be written, the last one first. */
  #order: number[] = [];
  #shelf = new Uint8Array(0);
  #shelfUsed = 0;

  constructor(db: SqliteFile) {
    this.#batch = new RowBatch(db, { insert: INSERT, columns: 5 });
  }

  get isEmpty(): boolean {
    return this.#rows === 0;
  }

  /** True where they should be written before more is added. */
  get isDue(): boolean {
    return this.#rows >= ROWS_MAX || this.#bytes > BYTES_MAX;
  }

  /** Keeps a copy of the body. */
  add(keyId: number, write: RecordWrite): void {
    const kept = { ...write, body: this.#shelve(write.body) };
    const known = this.#byKey.get(keyId);
    if (known === undefined) this.#byKey.set(keyId, [kept]);
    else known.push(kept);
    this.#rows += 1;
    this.#bytes += write.body.length + ROW_BYTES;
  }

  /** Those of one record; their bodies are to be copied by whoever keeps them. */
  of(keyId: number): readonly RecordWrite[] {
    return this.#byKey.get(keyId) ?? NONE;
  }

  /** The record that an op was made on. */
  keyIdOf(op: OpId): number | undefined {
    for (const [keyId, writes] of this.#byKey) {
      if (writes.some(({ order }) => isSameOp(order, op))) return keyId;
    }
    return undefined;
  }

  /** Writes those of one record. */
  settle(keyId: number): void {
    this.#write(keyId, this.#take(keyId));
    this.#batch.flush();
  }

  /** Writes those of at most `keysMax` records, in the order of the table; true where none is left. */
  flush(keysMax: number): boolean {
    if (this.#rows === 0) return true;
    if (this.#order.length === 0) this.#order = [...this.#byKey.keys()].toSorted((a, b) => b - a);
    for (let count = 0; count < keysMax; count++) {
      const keyId = this.#order.pop();
      if (keyId === undefined) break;
      const writes = this.#take(keyId);
      if (writes.length > 1) writes.sort((a, b) => compareOrders(a.order, b.order));
      this.#write(keyId, writes);
    }
    this.#batch.flush();
    return this.#rows === 0;
  }

  /** Forgets all: the tables were replaced. */
  clear(): void {
    this.#byKey.clear();
    this.#order = [];
    this.#rows = this.#bytes = 0;
  }

  #shelve(body: Uint8Array): Uint8Array {
    if (body.length > SHELVED_BYTES_MAX) return body.slice();
    if (this.#shelfUsed + body.length > this.#shelf.length) {
      this.#shelf = new Uint8Array(SHELF_BYTES);
      this.#shelfUsed = 0;
    }
    const from = this.#shelfUsed;
    this.#shelfUsed += body.length;
    this.#shelf.set(body, from);
    return this.#shelf.subarray(from, this.#shelfUsed);
  }

  #take(keyId: number): RecordWrite[] {
    const writes = this.#byKey.get(keyId);
    if (writes === undefined) return [];
    this.#byKey.delete(keyId);
    this.#rows -= writes.length;
    for (const { body } of writes) this.#bytes -= body.length + ROW_BYTES;
    return writes;
  }

  #write(keyId: number, writes: readonly RecordWrite[]): void {
    for (const { order, kind, body, stamp } of writes) {
      const mark = stamp === undefined ? null : encodeStampMark(stamp);
      this.#batch.add(keyId, encodeOrder(order), kind, body, mark);
    }
  }
}
