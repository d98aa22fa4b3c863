/**
 * Ops on records that are folded and not yet in their table. A burst of edits goes all over the site: written one by one,
 * each would change a page of its own, which is read, and written to the card, for sixty bytes. Gathered and written in the
 * order of the table, many share a page. Whoever asks the table for a record's ops settles that record before.
 *
 * Beside the table stand marks of the few that are looked for by what they are: undos, horizons, versions by their content.
 */
import { ASSET_HASH_AT } from '../../../merge/asset/asset-version.ts';
import { ORDER_BYTES } from '../../../merge/order.ts';
import type { RecordWrite } from '../../../merge/record.ts';
import { CONTENT_HASH_BYTES } from '../../../model/asset-bytes.ts';
import { ASSET, CONTROL, UNDO } from '../../../model/op.ts';
import { RowBatch } from '../../database/row-batch.ts';
import type { SqliteFile } from '../../database/sqlite.ts';
import {
  BODY_AT,
  compareRanks,
  kindOf,
  KIND_AT,
  packedLength,
  packWrite,
  type PackedWrite,
  putWrite,
} from './packed-write.ts';

/** What may wait: memory, and how long it takes to write all of it at once. */
const ROWS_MAX = 32_768;
const BYTES_MAX = 10 << 20;
/** What a row takes beside its bytes. */
const ROW_BYTES = 150;
const INSERT = 'INSERT OR IGNORE INTO writes (key_id, op) VALUES';
const INSERT_MARK = 'INSERT OR IGNORE INTO marked (mark, key_id, rank) VALUES';
const DROP_MARK = 'DELETE FROM marked WHERE mark = ? AND key_id = ? AND rank = ?';
const NONE: readonly PackedWrite[] = [];
/** Ops are packed into pieces of this size: a buffer for each of them costs as much as all else that is done for an op. */
const SHELF_BYTES = 1 << 16;
const SHELVED_BYTES_MAX = 1 << 12;

export class PendingWrites {
  readonly #batch: RowBatch;
  readonly #marks: RowBatch;
  readonly #byKey = new Map<number, PackedWrite[]>();
  #rows = 0;
  #bytes = 0;
  /** Keys that are still to be written, the last one first. */
  #order: number[] = [];
  #shelf = new Uint8Array(0);
  #shelfUsed = 0;

  constructor(db: SqliteFile) {
    this.#batch = new RowBatch(db, { insert: INSERT, columns: 2 });
    this.#marks = new RowBatch(db, { insert: INSERT_MARK, columns: 3 });
  }

  /** True where they should be written before more is added. */
  get isDue(): boolean {
    return this.#rows >= ROWS_MAX || this.#bytes > BYTES_MAX;
  }

  /** Keeps a copy, and returns it. */
  add(keyId: number, write: RecordWrite): PackedWrite {
    const packed = this.#shelve(write);
    const known = this.#byKey.get(keyId);
    if (known === undefined) this.#byKey.set(keyId, [packed]);
    else known.push(packed);
    this.#rows += 1;
    this.#bytes += packed.length + ROW_BYTES;
    return packed;
  }

  /** Those of one record, as they came. */
  of(keyId: number): readonly PackedWrite[] {
    return this.#byKey.get(keyId) ?? NONE;
  }

  /** Writes those of one record. */
  settle(keyId: number): void {
    this.#write(keyId, this.#take(keyId));
    this.#flushRows();
  }

  /** Writes those of at most `keysMax` records, in the order of the table; true where none is left. */
  flush(keysMax: number): boolean {
    if (this.#rows === 0) return true;
    if (this.#order.length === 0) {
      this.#order = [...this.#byKey.keys()].toSorted((a, b) => b - a);
    }
    for (let count = 0; count < keysMax; count++) {
      const keyId = this.#order.pop();
      if (keyId === undefined) break;
      const writes = this.#take(keyId);
      if (writes.length > 1) writes.sort(compareRanks);
      this.#write(keyId, writes);
    }
    this.#flushRows();
    return this.#rows === 0;
  }

  /** Forgets all: the tables were replaced. */
  clear(): void {
    this.#byKey.clear();
    this.#order = [];
    this.#rows = this.#bytes = 0;
  }

  #flushRows(): void {
    this.#batch.flush();
    this.#marks.flush();
  }

  #shelve(write: RecordWrite): PackedWrite {
    const length = packedLength(write);
    if (length > SHELVED_BYTES_MAX) return packWrite(write);
    if (this.#shelfUsed + length > this.#shelf.length) {
      this.#shelf = new Uint8Array(SHELF_BYTES);
      this.#shelfUsed = 0;
    }
    const from = this.#shelfUsed;
    this.#shelfUsed += length;
    putWrite(this.#shelf, from, write);
    return this.#shelf.subarray(from, this.#shelfUsed);
  }

  #take(keyId: number): PackedWrite[] {
    const writes = this.#byKey.get(keyId);
    if (writes === undefined) return [];
    this.#byKey.delete(keyId);
    this.#rows -= writes.length;
    for (const packed of writes) this.#bytes -= packed.length + ROW_BYTES;
    return writes;
  }

  #write(keyId: number, writes: readonly PackedWrite[]): void {
    for (const packed of writes) {
      this.#batch.add(keyId, packed);
      const mark = markOf(packed);
      if (mark !== undefined) this.#marks.add(mark, keyId, packed.subarray(0, ORDER_BYTES));
    }
  }
}

/** An op leaves the table. */
export function dropMark(db: SqliteFile, keyId: number, packed: PackedWrite): void {
  const mark = markOf(packed);
  if (mark !== undefined) db.run(DROP_MARK, [mark, keyId, packed.subarray(0, ORDER_BYTES)]);
}

/** By what the op is looked for, other than by its record or name. */
function markOf(packed: PackedWrite): Uint8Array | undefined {
  const kind = kindOf(packed);
  if (kind === UNDO || kind === CONTROL) return packed.subarray(KIND_AT, KIND_AT + 1);
  if (kind !== ASSET) return undefined;
  const hashAt = BODY_AT + ASSET_HASH_AT;
  return contentMark(packed.subarray(hashAt, hashAt + CONTENT_HASH_BYTES));
}

/** The mark of versions that name this content. */
export function contentMark(sha256: Uint8Array): Uint8Array {
  const mark = new Uint8Array(1 + CONTENT_HASH_BYTES);
  mark[0] = ASSET;
  mark.set(sha256, 1);
  return mark;
}
