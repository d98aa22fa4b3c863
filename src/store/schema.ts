/**
 * Tables of the state database, and the way from older versions of them (`PRAGMA user_version`). Texts are
 * UTF-8 blobs; `rank` is an encoded order of merge/order.ts, whose bytes compare as the order does.
 */
import { HubError } from '../base/errors.ts';
import { STORE_SCHEMA } from '../versions.ts';
import { DAY_MS } from './reading-chunk.ts';
import type { SqliteFile } from './sqlite.ts';

const TABLES = `
  -- How far the journal is folded in: one row.
  CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 1), lsn INTEGER NOT NULL) STRICT;
  INSERT INTO checkpoint (id, lsn) VALUES (1, 0);

  -- Ops seen per lane: all up to up_to, and the ranges in beyond (CBOR array of from, to, from, to …).
  CREATE TABLE lanes (
    lane TEXT PRIMARY KEY, up_to INTEGER NOT NULL, beyond BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- Newest stamp of each accepting hub.
  CREATE TABLE hubs (hub TEXT PRIMARY KEY, hlc BLOB NOT NULL) STRICT, WITHOUT ROWID;

  -- Topics and record keys by a number, so that readings stay small.
  CREATE TABLE keys (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE) STRICT;

  CREATE TABLE events (key_id INTEGER PRIMARY KEY, rank BLOB NOT NULL, body BLOB NOT NULL) STRICT;

  CREATE TABLE tombstones (key_id INTEGER PRIMARY KEY, rank BLOB NOT NULL) STRICT;

  CREATE TABLE fields (
    key_id INTEGER NOT NULL, field BLOB NOT NULL, rank BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (key_id, field)
  ) STRICT, WITHOUT ROWID;

  -- Events over time, in chunks of one key (reading-chunk.ts). Appended, never inserted in the middle; the
  -- index begins with the day, so that what comes within one lies together. That is what keeps writes few.
  CREATE TABLE readings (
    id INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, first_ms INTEGER NOT NULL,
    span_ms INTEGER NOT NULL, codec INTEGER NOT NULL, body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX readings_by_day ON readings (first_ms / ${DAY_MS}, key_id, first_ms);
`;

const EMPTY = `
  DELETE FROM lanes; DELETE FROM hubs; DELETE FROM keys; DELETE FROM events; DELETE FROM tombstones;
  DELETE FROM fields; DELETE FROM readings; UPDATE checkpoint SET lsn = 0;
`;

/** What leads from each version to the next. */
const STEPS: readonly string[] = [
  // 1 to 2: a row of readings was one reading, which is a chunk of codec 0.
  `ALTER TABLE readings RENAME COLUMN at_ms TO first_ms;
   ALTER TABLE readings ADD COLUMN span_ms INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE readings ADD COLUMN codec INTEGER NOT NULL DEFAULT 0;
   DROP INDEX readings_by_key;
   CREATE INDEX readings_by_day ON readings (first_ms / ${DAY_MS}, key_id, first_ms);`,
];

/** Brings the tables to this version; throws `HubError` `data.newer` where a later one has written them. */
export function migrate(db: SqliteFile): void {
  const version = Number(db.row('PRAGMA user_version')?.['user_version']);
  if (version === STORE_SCHEMA) return;
  if (version > STORE_SCHEMA) {
    throw new HubError(
      'data.newer',
      `state database has schema ${version}, we know ${STORE_SCHEMA}`,
    );
  }
  if (!(version >= 0))
    throw new HubError('store.damaged', `state database has unknown schema ${version}`);
  const changes = version === 0 ? TABLES : STEPS.slice(version - 1).join('');
  db.exec(`BEGIN; ${changes} PRAGMA user_version = ${STORE_SCHEMA}; COMMIT;`);
}

/** Empties all tables, in one transaction. */
export function emptyTables(db: SqliteFile): void {
  db.exec(`BEGIN; ${EMPTY} COMMIT;`);
}
