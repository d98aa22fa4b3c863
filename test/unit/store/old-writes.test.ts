import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { encodeAssetVersion } from '../../../src/merge/asset/asset-version.ts';
import { encodeAdd, encodeUndo } from '../../../src/merge/patch.ts';
import { bytesOfTotal } from '../../../src/merge/record.ts';
import { encodeOrder } from '../../../src/merge/order.ts';
import type { StateItem } from '../../../src/merge/state/state-item.ts';
import { ADD, ASSET, AUTHORITY, type StampedOp, UNDO } from '../../../src/model/op.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { SqliteFile } from '../../../src/store/database/sqlite.ts';
import type { Store } from '../../../src/store/store.ts';
import { DEVICE_A, DEVICE_B, patchOp, removeOp, stampedOp } from '../../support/made/ops.ts';
import { entriesOf, openStore, storeOptions } from '../../support/memory/stores.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const CONTENT = new Uint8Array(32).fill(7);
const asset = stampedOp({
  kind: ASSET,
  class: 2,
  key: 'pump',
  seq: 256,
  atMs: 3_000,
  body: encodeAssetVersion({ sha256: CONTENT, size: 5, type: 'image/jpeg' }),
});
const OPS: readonly StampedOp[] = [
  patchOp({ state: 'open' }, { seq: 1, atMs: 1_000 }),
  patchOp({ state: 'done', note: 'x' }, { seq: 2, atMs: 1_500 }),
  patchOp({ state: 'done' }, { seq: 3, atMs: 2_000, origin: DEVICE_B }),
  asset,
  stampedOp({
    kind: ADD,
    class: 2,
    key: 'pump',
    seq: 258,
    atMs: 3_500,
    body: encodeAdd({ hours: -7 }),
  }),
  removeOp({ seq: 65, atMs: 4_000, key: 'valve', origin: DEVICE_B }),
  stampedOp({
    kind: UNDO,
    class: 2,
    key: 'pump',
    seq: 257,
    atMs: 5_000,
    body: encodeUndo([{ origin: DEVICE_B, class: 2, seq: 3 }]),
  }),
];

/** The tables as version 11 had them, but for what stands in records. */
const AS_OF_11 = `
  BEGIN;
  CREATE TABLE old_writes (
    key_id INTEGER NOT NULL, rank BLOB NOT NULL, kind INTEGER NOT NULL, body BLOB NOT NULL, stamp BLOB,
    PRIMARY KEY (key_id, rank)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO old_writes
    SELECT key_id, substr(op, 1, 26), instr(x'0001020304050607', substr(op, 27, 1)) - 1,
      substr(op, 44), substr(op, 28, 16) FROM writes;
  UPDATE old_writes SET stamp = NULL WHERE kind = 2;
  DROP TABLE writes;
  DROP TABLE marked;
  DROP TABLE op_places;
  ALTER TABLE old_writes RENAME TO writes;
  CREATE INDEX writes_by_op ON writes (substr(rank, 10));
  CREATE INDEX versions_by_content ON writes (substr(body, 5, 32)) WHERE kind = 5;
  CREATE INDEX writes_horizon ON writes (key_id) WHERE kind = 7;
  DROP TABLE records;
  DROP TABLE assets;
  CREATE TABLE tombstones (key_id INTEGER PRIMARY KEY, rank BLOB NOT NULL) STRICT;
  CREATE TABLE fields (
    key_id INTEGER NOT NULL, field BLOB NOT NULL, rank BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (key_id, field)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX assets_by_time ON fields (substr(rank, 2, 8)) WHERE field = x'';
  CREATE TABLE counters (
    key_id INTEGER NOT NULL, field BLOB NOT NULL, total BLOB NOT NULL, adds INTEGER NOT NULL,
    PRIMARY KEY (key_id, field)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = 11;
  COMMIT;`;
const ID = '(SELECT id FROM keys WHERE name = ?)';

/** Puts what stands in records into the tables of version 11. */
function standAsOf11(db: SqliteFile, items: readonly StateItem[]): void {
  for (const item of items) {
    if (item.type === 'tombstone') {
      const sql = `INSERT INTO tombstones VALUES (${ID}, ?)`;
      db.run(sql, [utf8(item.key), encodeOrder(item.order)]);
    } else if (item.type === 'field') {
      const { order, value } = item.write;
      const sql = `INSERT INTO fields VALUES (${ID}, ?, ?, ?)`;
      db.run(sql, [utf8(item.key), utf8(item.field), encodeOrder(order), value]);
    } else if (item.type === 'counter') {
      const { total, adds } = item.counter;
      const sql = `INSERT INTO counters VALUES (${ID}, ?, ?, ?)`;
      db.run(sql, [utf8(item.key), utf8(item.field), bytesOfTotal(total), adds]);
    }
  }
}

function answersOf(store: Store): unknown {
  const { records, reader } = store;
  return {
    digest: store.digest().digest,
    history: records.history('pump'),
    undos: OPS.map(({ op }) =>
      records.planUndo({ target: op, authority: AUTHORITY.device, cascade: false }),
    ),
    stamps: [DEVICE_A, DEVICE_B].map((origin) =>
      records.stamps(`${origin}/2`, 1, origin === DEVICE_A ? 300 : 64),
    ),
    stampsDigest: records.stampsDigest(`${DEVICE_A}/2`, 1, 300),
    versions: records.versionsOf(CONTENT, 10),
    pump: records.get('pump'),
    valve: records.get('valve'),
    living: records.keys('', '', 10),
    assets: records.latestAssets(10),
    base: [...store.dump()].filter(({ type }) => type === 'tombstone' || type === 'counter'),
    walk: reader.writesOf(DEVICE_A, 1, undefined, 10).items,
  };
}

describe('a database of schema 11', () => {
  it('keeps its ops on records, found by all that they are looked for by', () => {
    const dir = tempDir();
    let store = openStore(dir);
    store.apply(entriesOf(OPS), OPS.length);
    const before = answersOf(store);
    const items = [...store.dump()];
    store.close();

    const { path } = storeOptions(dir);
    const file = SqliteFile.open({ path, files: machineFiles, durability: 'replayable' });
    file.exec(AS_OF_11);
    standAsOf11(file, items);
    file.close();

    store = openStore(dir);
    assert.deepEqual(answersOf(store), before);
    const [removed] = store.records.history('valve');
    assert.equal(removed?.stamp, undefined, 'an older version may have kept no stamp');
    const { op } = OPS[2] as StampedOp;
    assert.equal(
      store.records.history('pump').find(({ order }) => order.seq === op.seq)?.isUndone,
      true,
    );
    store.close();
  });
});
