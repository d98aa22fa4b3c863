/**
 * Tables of the state database, and the way from older versions of them (`PRAGMA user_version`). Texts are
 * UTF-8 blobs; `rank` is an encoded order of merge/order.ts, whose bytes compare as the order does.
 */
import { compareBytes, EMPTY_BYTES } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { CborWriter, encodeCbor } from '../../codec/writer.ts';
import { decodeStampMark, type Kind, PATCH, REMOVE } from '../../model/op.ts';
import { STORE_SCHEMA } from '../../versions.ts';
import { nameOf } from './key-ids.ts';
import { DAY_MS } from '../readings/reading-chunk.ts';
import { WriteRows } from '../records/writes/write-rows.ts';
import { orderOf } from './rows.ts';
import type { SqliteFile } from './sqlite.ts';

/** Version since which an op on a record is one column. */
const PACKED_SINCE = 12;

const ASSETS_BY_TIME = `
  -- The versions of assets that stand, by their time.
  CREATE INDEX assets_by_time ON fields (substr(rank, 2, 8)) WHERE field = x'';
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
  -- Sums modulo 2^64, in two's complement; adds: how many increments are in them.
  CREATE TABLE counters (
    key_id INTEGER NOT NULL, field BLOB NOT NULL, total BLOB NOT NULL, adds INTEGER NOT NULL,
    PRIMARY KEY (key_id, field)
  ) STRICT, WITHOUT ROWID;

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
  ${WRITE_TABLES}
  ${MERGE_TABLES}
  ${ASSETS_BY_TIME}
  ${DOC_TABLES}
  ${OPEN_CONFLICTS}
  ${BOOT_TABLES}
  ${DOUBTS}
  ${DOC_STEPS}
  ${JOINED}
`;

const EMPTY = `
  DELETE FROM lanes; DELETE FROM hubs; DELETE FROM keys; DELETE FROM events; DELETE FROM tombstones;
  DELETE FROM fields; DELETE FROM readings; DELETE FROM writes; DELETE FROM marked; DELETE FROM op_places; DELETE FROM counters;
  DELETE FROM docs; DELETE FROM conflicts; UPDATE merge_counts SET edits = 0, conflicts = 0; UPDATE checkpoint SET lsn = 0, is_unsure = 0;
  DELETE FROM boots; DELETE FROM undated_readings; DELETE FROM undated_ops;
  DELETE FROM doc_steps;
`;

/** How ops on records were kept until version 11, with indexes that go with the table. */
const OLD_WRITES = `
  CREATE TABLE writes (
    key_id INTEGER NOT NULL, rank BLOB NOT NULL, kind INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (key_id, rank)
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
  ASSETS_BY_TIME,
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
  if (version > 0 && version < PACKED_SINCE) repackWrites(db);
  seedWrites(db);
  db.exec('COMMIT');
}

/**
 * Makes ops of records from what stands, where the ops themselves were not kept: each prevailing write becomes a
 * patch of the fields that it still holds. What was covered before cannot be brought back by an undo.
 */
export function seedWrites(db: SqliteFile): void {
  if (db.row('SELECT 1 FROM writes LIMIT 1') !== undefined) return;
  const writer = new WriteRows(db);
  for (const row of db.rows('SELECT key_id, rank FROM tombstones')) {
    writer.add(row['key_id'] as number, { order: orderOf(row), kind: REMOVE, body: EMPTY_BYTES });
  }
  for (const row of db.rows('SELECT DISTINCT key_id, rank FROM fields')) {
    const keyId = row['key_id'] as number;
    const sql = 'SELECT field, value FROM fields WHERE key_id = ? AND rank = ?';
    const fields = db.rows(sql, [keyId, row['rank'] as Uint8Array]).map((field) => {
      const name = nameOf(field['field']);
      return { name: encodeCbor(name), value: field['value'] as Uint8Array };
    });
    const body = new CborWriter(256).map(fields.length);
    for (const { name, value } of fields.toSorted((a, b) => compareBytes(a.name, b.name))) {
      body.raw(name).raw(value);
    }
    writer.add(keyId, { order: orderOf(row), kind: PATCH, body: body.finish() });
  }
  writer.finish();
}

/** Brings ops on records from five columns into one. */
function repackWrites(db: SqliteFile): void {
  const writer = new WriteRows(db);
  for (const row of db.each('SELECT * FROM old_writes')) {
    const { key_id: keyId, kind, body, stamp } = row;
    const mark = stamp instanceof Uint8Array ? decodeStampMark(stamp) : undefined;
    const write = { order: orderOf(row), kind: kind as Kind, body: body as Uint8Array };
    writer.add(keyId as number, mark === undefined ? write : { ...write, stamp: mark });
  }
  writer.finish();
  db.exec('DROP TABLE old_writes');
}

/** Empties all tables, in one transaction. */
export function emptyTables(db: SqliteFile): void {
  db.exec(`BEGIN; ${EMPTY} COMMIT;`);
}
