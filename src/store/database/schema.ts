/**
 * Tables of the state database, and the way from older versions of them (`PRAGMA user_version`). Texts are
 * UTF-8 blobs; `rank` is an encoded order of merge/order.ts, whose bytes compare as the order does.
 */
import { HubError } from '../../base/errors.ts';
import { STORE_SCHEMA } from '../../versions.ts';
import { DAY_MS } from '../readings/reading-chunk.ts';
import { repack, seedWrites } from './old-tables.ts';
import type { SqliteFile } from './sqlite.ts';

const RECORDS = `
  -- What stands in each record (records/packed-record.ts).
  CREATE TABLE records (key_id INTEGER PRIMARY KEY, state BLOB NOT NULL) STRICT;
  -- Records of which a version of an asset stands, by its time.
  CREATE TABLE assets (key_id INTEGER PRIMARY KEY, hlc BLOB NOT NULL) STRICT;
  CREATE INDEX assets_by_time ON assets (hlc);
`;

const DOC_TABLES = `
  -- Documents: the one encoding of all updates that came, and the highest seq of each lane among them.
  CREATE TABLE docs (key_id INTEGER PRIMARY KEY, heads BLOB NOT NULL, state BLOB NOT NULL) STRICT;
`;

const OPEN_CONFLICTS = `
  -- Few of many.
  CREATE INDEX conflicts_open ON conflicts (key_id, field) WHERE closed_ms IS NULL;
`;

const BOOT_TABLES = `
  -- When the boot of an origin began (UTC), once one of its ops has told.
  CREATE TABLE boots (
    origin BLOB NOT NULL, boot_id INTEGER NOT NULL, start_ms INTEGER NOT NULL,
    PRIMARY KEY (origin, boot_id)
  ) STRICT, WITHOUT ROWID;
  -- Readings that were made while their maker's clock was not set, and wait for that.
  CREATE TABLE undated_readings (
    id INTEGER PRIMARY KEY, origin BLOB NOT NULL, boot_id INTEGER NOT NULL,
    monotonic_ms INTEGER NOT NULL, key_id INTEGER NOT NULL, at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX undated_by_boot ON undated_readings (origin, boot_id);
  -- Ops on records of such moments.
  CREATE TABLE undated_ops (
    op TEXT PRIMARY KEY, origin BLOB NOT NULL, boot_id INTEGER NOT NULL, monotonic_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

const DOUBTS = `
  -- When the boot began by the maker's own clock, which is in doubt; null where it was not set at all.
  ALTER TABLE undated_readings ADD COLUMN own_start_ms INTEGER;
  ALTER TABLE undated_ops ADD COLUMN own_start_ms INTEGER;
`;

const DOC_STEPS = `
  -- Who wrote in documents, for people: the newest ops of each.
  CREATE TABLE doc_steps (
    key_id INTEGER NOT NULL, rank BLOB NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (key_id, rank)
  ) STRICT, WITHOUT ROWID;
`;

const JOINED = `
  -- 1 once ops on records were taken over that the lanes do not name.
  ALTER TABLE checkpoint ADD COLUMN is_unsure INTEGER NOT NULL DEFAULT 0;
`;

const WRITE_TABLES = `
  -- Every op on a record: any of them may be undone, so what it covered is kept (records/writes/packed-write.ts).
  CREATE TABLE writes (
    key_id INTEGER NOT NULL, op BLOB NOT NULL, PRIMARY KEY (key_id, op)
  ) STRICT, WITHOUT ROWID;
  -- The few that are looked for by what they are: undos, horizons, versions of assets by the SHA-256 of their content.
  CREATE TABLE marked (
    mark BLOB NOT NULL, key_id INTEGER NOT NULL, rank BLOB NOT NULL, PRIMARY KEY (mark, key_id, rank)
  ) STRICT, WITHOUT ROWID;
  -- Where each of them lies, by the numbers of its lane (records/writes/op-places.ts).
  CREATE TABLE op_places (
    origin BLOB NOT NULL, chunk INTEGER NOT NULL, class INTEGER NOT NULL, places BLOB NOT NULL,
    PRIMARY KEY (origin, chunk, class)
  ) STRICT, WITHOUT ROWID;
`;

const MERGE_TABLES = `
  -- What was met, for people: a function of the writes, but for when it was met here.
  CREATE TABLE conflicts (
    id INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, field BLOB NOT NULL, kind TEXT NOT NULL,
    winner BLOB NOT NULL, loser BLOB NOT NULL, found_ms INTEGER NOT NULL, closed_ms INTEGER,
    UNIQUE (key_id, field, winner, loser)
  ) STRICT;
  CREATE TABLE merge_counts (
    id INTEGER PRIMARY KEY CHECK (id = 1), edits INTEGER NOT NULL, conflicts INTEGER NOT NULL
  ) STRICT;
  INSERT INTO merge_counts (id, edits, conflicts) VALUES (1, 0, 0);
`;

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

  -- Events over time, in chunks of one key (reading-chunk.ts). Appended, never inserted in the middle; the
  -- index begins with the day, so that what comes within one lies together. That is what keeps writes few.
  CREATE TABLE readings (
    id INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, first_ms INTEGER NOT NULL,
    span_ms INTEGER NOT NULL, codec INTEGER NOT NULL, body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX readings_by_day ON readings (first_ms / ${DAY_MS}, key_id, first_ms);
  ${WRITE_TABLES}
  ${MERGE_TABLES}
  ${RECORDS}
  ${DOC_TABLES}
  ${OPEN_CONFLICTS}
  ${BOOT_TABLES}
  ${DOUBTS}
  ${DOC_STEPS}
  ${JOINED}
`;

const EMPTY = `
  DELETE FROM lanes; DELETE FROM hubs; DELETE FROM keys; DELETE FROM events; DELETE FROM records;
  DELETE FROM assets; DELETE FROM readings; DELETE FROM writes; DELETE FROM marked; DELETE FROM op_places;
  DELETE FROM docs; DELETE FROM conflicts; UPDATE merge_counts SET edits = 0, conflicts = 0; UPDATE checkpoint SET lsn = 0, is_unsure = 0;
  DELETE FROM boots; DELETE FROM undated_readings; DELETE FROM undated_ops;
  DELETE FROM doc_steps;
`;

/** How ops on records were kept until version 11, and counters until 12. */
const OLD_WRITES = `
  CREATE TABLE writes (
    key_id INTEGER NOT NULL, rank BLOB NOT NULL, kind INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (key_id, rank)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE counters (
    key_id INTEGER NOT NULL, field BLOB NOT NULL, total BLOB NOT NULL, adds INTEGER NOT NULL,
    PRIMARY KEY (key_id, field)
  ) STRICT, WITHOUT ROWID;
`;

/** What leads from each version to the next. */
const STEPS: readonly string[] = [
  // 1 to 2: a row of readings was one reading, which is a chunk of codec 0.
  `ALTER TABLE readings RENAME COLUMN at_ms TO first_ms;
   ALTER TABLE readings ADD COLUMN span_ms INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE readings ADD COLUMN codec INTEGER NOT NULL DEFAULT 0;
   DROP INDEX readings_by_key;
   CREATE INDEX readings_by_day ON readings (first_ms / ${DAY_MS}, key_id, first_ms);`,
  // 2 to 3: the ops on records, as far as they still stand (`seedWrites`).
  `${OLD_WRITES} ${MERGE_TABLES}`,
  // 3 to 4: assets, of which there were none.
  '',
  // 4 to 5: documents, of which there were none.
  DOC_TABLES,
  // 5 to 6: the stamps of the ops on records.
  'ALTER TABLE writes ADD COLUMN stamp BLOB;',
  // 6 to 7: what is asked for at every op.
  OPEN_CONFLICTS,
  // 7 to 8: times of clocks that were not set, from now on.
  BOOT_TABLES,
  // 8 to 9: steps in documents, from now on.
  DOC_STEPS,
  // 9 to 10: clocks that are in doubt, from now on.
  DOUBTS,
  // 10 to 11: ops that a state of another hub has brought, of which there were none.
  JOINED,
  // 11 to 12: an op on a record is one column, and where it lies is known by its lane (`repackWrites`).
  `ALTER TABLE writes RENAME TO old_writes; ${WRITE_TABLES}`,
  // 12 to 13: a record is one row (`repackRecords`).
  `DROP INDEX IF EXISTS assets_by_time; ${RECORDS}`,
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
  db.exec(`BEGIN; ${changes} PRAGMA user_version = ${STORE_SCHEMA};`);
  if (version > 0) repack(db, version);
  seedWrites(db);
  db.exec('COMMIT');
}

/** Empties all tables, in one transaction. */
export function emptyTables(db: SqliteFile): void {
  db.exec(`BEGIN; ${EMPTY} COMMIT;`);
}
