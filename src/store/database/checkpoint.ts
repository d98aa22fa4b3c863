/** How far the tables hold the journal: one row, written in the transaction that makes it true. */
import { HubError } from '../../base/errors.ts';
import type { SqliteFile } from './sqlite.ts';

const PUT = 'UPDATE checkpoint SET lsn = ?, is_unsure = ? WHERE id = 1';

interface Checkpoint {
  /** All of the journal up to here is in the tables. */
  readonly lsn: number;
  /** Ops on records were taken over that the lanes do not name. */
  readonly isUnsure: boolean;
}

export function putCheckpoint(db: SqliteFile, { lsn, isUnsure }: Checkpoint): void {
  db.run(PUT, [lsn, isUnsure ? 1 : 0]);
}

/** Throws `HubError` `store.damaged` where there is none. */
export function readCheckpoint(db: SqliteFile): Checkpoint {
  const row = db.row('SELECT lsn, is_unsure FROM checkpoint');
  const lsn = row?.['lsn'];
  if (typeof lsn !== 'number') throw new HubError('store.damaged', 'there is no checkpoint');
  return { lsn, isUnsure: row?.['is_unsure'] === 1 };
}
