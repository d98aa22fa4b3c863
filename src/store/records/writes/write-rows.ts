/** Ops on records into their tables, outside of folding: where an older version kept them otherwise, or not at all. */
import type { RecordWrite } from '../../../merge/record.ts';
import type { SqliteFile } from '../../database/sqlite.ts';
import { OpPlaces } from './op-places.ts';
import { PendingWrites } from './pending-writes.ts';

export class WriteRows {
  readonly #pending: PendingWrites;
  readonly #places: OpPlaces;

  constructor(db: SqliteFile) {
    this.#pending = new PendingWrites(db);
    this.#places = new OpPlaces(db);
  }

  add(keyId: number, write: RecordWrite): void {
    this.#pending.add(keyId, write);
    this.#places.put(keyId, write);
    if (this.#pending.isDue) this.finish();
  }

  finish(): void {
    while (!this.#pending.flush(Infinity));
    this.#places.flush();
  }
}
