import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import sqlite from 'node-sqlite3-wasm';
import { describe, it } from 'vitest';

import { HubError } from '../../../src/base/errors.ts';
import { textOf, utf8 } from '../../../src/base/bytes.ts';
import { decodeCbor } from '../../../src/codec/reader.ts';
import { LOG } from '../../../src/model/class.ts';
import { encodeLocalEntry, encodeOpEntry } from '../../../src/model/entry.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { SqliteFile } from '../../../src/store/database/sqlite.ts';
import { Store } from '../../../src/store/store.ts';
import { STORE_SCHEMA } from '../../../src/versions.ts';
import { DEVICE_A, DEVICE_B, HUB, patchOp, removeOp, stampedOp } from '../../support/made/ops.ts';
import { filesWithSync } from '../../support/machine/files-with-sync.ts';
import { spawnScript } from '../../support/machine/script.ts';
import { entriesOf, openStore, storeOptions } from '../../support/memory/stores.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

/** A little of everything. */
const HISTORY: readonly StampedOp[] = [
  stampedOp({ seq: 1, atMs: 1000, body: utf8('1') }),
  patchOp({ state: 'open', note: 'x' }, { seq: 1, atMs: 1000 }),
  stampedOp({ seq: 2, atMs: 2000, body: utf8('2') }),
  removeOp({ seq: 2, atMs: 3000 }),
  patchOp({ note: 'y' }, { seq: 1, atMs: 4000, origin: DEVICE_B }),
  stampedOp({ seq: 1, atMs: 5000, class: LOG, key: 'hub/log', body: utf8('{}') }),
];

function faultOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof HubError) return error.code;
    throw error;
  }
  return 'none';
}

describe('applying', () => {
  it('folds events, patches and removes', () => {
    const store = openStore(tempDir());
    store.apply(entriesOf(HISTORY), 6);
    const fields = [...store.records.get('pump').fields].map(([name, write]) => [
      name,
      decodeCbor(write.value),
    ]);
    assert.deepEqual(fields, [['note', 'y']]);
    const latest = store.latest('').map(([key, write]) => [key, textOf(write.body)]);
    assert.deepEqual(latest, [['meters/1', '2']]);
    assert.equal(store.checkpointLsn, 6);
    assert.deepEqual(
      new Map(store.vector()),
      new Map([
        [`${DEVICE_A}/3`, 2],
        [`${DEVICE_A}/2`, 2],
        [`${DEVICE_B}/2`, 1],
        [`${DEVICE_A}/6`, 1],
      ]),
    );
    assert.equal(store.digest().ops, 5);
    assert.equal(store.digest().records, 1);
    assert.equal(store.lastStamp(HUB)?.ms, 5000);
    store.close();
  });

  it('counts an op once, however often it comes', () => {
    const store = openStore(tempDir());
    store.apply(entriesOf(HISTORY), 6);
    const digest = store.digest();
    store.apply(entriesOf([...HISTORY].toReversed()), 6);
    assert.deepEqual(store.digest(), digest);
    assert.equal(store.readings({ key: 'meters/1', fromMs: 0, toMs: 1e9 }).points.length, 2);
    store.close();
  });

  it('remembers what it has seen beyond a gap, and closes the gap later', () => {
    const dir = tempDir();
    let store = openStore(dir);
    const ops = [1, 2, 3, 4, 5].map((seq) => stampedOp({ seq, atMs: seq }));
    const [one, two, three, four, five] = ops as [
      StampedOp,
      StampedOp,
      StampedOp,
      StampedOp,
      StampedOp,
    ];
    store.apply(entriesOf([one, three, five]), 3);
    assert.equal(store.vector().get(`${DEVICE_A}/3`), 1);
    assert.equal(store.digest().ops, 3);
    store.close();
    store = openStore(dir);
    store.apply(entriesOf([five, four, three]), 6);
    assert.equal(store.vector().get(`${DEVICE_A}/3`), 1);
    store.apply(entriesOf([two]), 7);
    assert.equal(store.vector().get(`${DEVICE_A}/3`), 5);
    assert.equal(store.digest().ops, 5);
    store.close();
  });

  it('shows staged ops to queries and keeps them only from the commit on', () => {
    const dir = tempDir();
    const store = openStore(dir);
    store.apply(entriesOf(HISTORY.slice(0, 2)), 2);
    store.stage(entriesOf(HISTORY.slice(2)), 6);
    assert.deepEqual([...store.records.get('pump').fields.keys()], ['note']);
    assert.equal(store.checkpointLsn, 2);
    store.commit();
    assert.equal(store.checkpointLsn, 6);
    store.close();
  });

  it('tells keys apart that differ only behind U+0000', () => {
    const store = openStore(tempDir());
    const a = stampedOp({ seq: 1, key: 'k\u0000a', body: utf8('a') });
    const b = stampedOp({ seq: 2, key: 'k\u0000b', body: utf8('b') });
    store.apply(entriesOf([a, b, patchOp({ 'f\u0000a': 1, 'f\u0000b': 2 })]), 3);
    assert.equal(store.latest('k').length, 2);
    assert.deepEqual([...store.records.get('pump').fields.keys()], ['f\u0000a', 'f\u0000b']);
    store.close();
  });
});

describe('latest', () => {
  it('gives the keys with a prefix and no others, in order, up to a limit', () => {
    const store = openStore(tempDir());
    const keys = ['a', 'a/1', 'a/2', 'a\uffff', 'b', 'ä'];
    store.apply(entriesOf(keys.map((key, index) => stampedOp({ seq: index + 1, key }))), 6);
    const found = (prefix: string, limit?: number): string[] =>
      store.latest(prefix, limit).map(([key]) => key);
    assert.deepEqual(found('a/'), ['a/1', 'a/2']);
    assert.deepEqual(found('a'), ['a', 'a/1', 'a/2', 'a\uffff']);
    assert.deepEqual(found('', 2), ['a', 'a/1']);
    assert.deepEqual(found('zz'), []);
    store.close();
  });
});

describe('the file', () => {
  it('opens again as it was, and rebuilt from nothing has the same digest', () => {
    const dir = tempDir();
    const first = openStore(dir);
    first.apply(entriesOf(HISTORY), 6);
    const digest = first.digest();
    first.close();
    const again = openStore(dir);
    assert.deepEqual(again.digest(), digest);
    assert.equal(again.checkpointLsn, 6);
    again.clear();
    assert.equal(again.checkpointLsn, 0);
    assert.equal(again.digest().ops, 0);
    again.apply(entriesOf(HISTORY), 6);
    assert.deepEqual(again.digest(), digest);
    again.close();
    Store.remove(machineFiles, join(dir, 'state.db'));
    assert.deepEqual(readdirSync(dir), []);
    const rebuilt = openStore(dir);
    rebuilt.apply(entriesOf(HISTORY), 6);
    assert.deepEqual(rebuilt.digest(), digest);
    rebuilt.close();
  });

  it('needs its stale lock folder removed, which is the trap that sqlite.ts works around', () => {
    const path = join(tempDir(), 'trap.db');
    mkdirSync(`${path}.lock`);
    const database = new sqlite.Database(path);
    assert.throws(() => database.exec('CREATE TABLE t (a)'), /locked/);
    database.close();
  });

  it('opens after a SIGKILL that left the lock folder, with every committed op', async () => {
    const dir = tempDir();
    const child = spawnScript('test/unit/store/killed-writer.ts', [dir]);
    await child.line(/committed 200/);
    child.kill('SIGKILL');
    await child.exited;
    assert.ok(existsSync(join(dir, 'state.db.lock')), 'the killed process left its lock folder');
    const store = openStore(dir);
    assert.ok(store.checkpointLsn >= 200);
    assert.equal(store.digest().ops, store.checkpointLsn);
    store.close();
  });

  it('says so when it is damaged, at once or when the damage is met, and refuses from then on', () => {
    const dir = tempDir();
    const { path } = storeOptions(dir);
    writeFileSync(path, 'x'.repeat(10_000));
    assert.equal(
      faultOf(() => openStore(dir)),
      'store.damaged',
    );
    Store.remove(machineFiles, path);
    let store = openStore(dir);
    const many = Array.from({ length: 500 }, (_, i) => stampedOp({ seq: i + 1, key: `k${i}` }));
    store.apply(entriesOf(many), 500);
    store.close();
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 8192);
    writeFileSync(path, bytes);
    assert.equal(
      faultOf(() => {
        store = openStore(dir);
        store.digest();
      }),
      'store.damaged',
    );
    Store.remove(machineFiles, path);
    openStore(dir).close();
  });

  it('that was cut short is damaged too', () => {
    const dir = tempDir();
    const { path } = storeOptions(dir);
    const store = openStore(dir);
    store.apply(entriesOf(HISTORY), 6);
    store.close();
    truncateSync(path, 4096 * 3);
    assert.equal(
      faultOf(() => openStore(dir).digest()),
      'store.damaged',
    );
  });

  it('of a newer version is refused and left alone', () => {
    const dir = tempDir();
    openStore(dir).close();
    const { path } = storeOptions(dir);
    const file = SqliteFile.open({ path, files: machineFiles, durability: 'replayable' });
    file.exec(`PRAGMA user_version = ${STORE_SCHEMA + 1}`);
    file.close();
    assert.equal(
      faultOf(() => openStore(dir)),
      'data.newer',
    );
  });

  it('of schema 1 keeps its state and its readings', () => {
    const dir = tempDir();
    const { path } = storeOptions(dir);
    const file = SqliteFile.open({ path, files: machineFiles, durability: 'replayable' });
    file.exec(`
      CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 1), lsn INTEGER NOT NULL) STRICT;
      INSERT INTO checkpoint (id, lsn) VALUES (1, 7);
      CREATE TABLE lanes (
        lane TEXT PRIMARY KEY, up_to INTEGER NOT NULL, beyond BLOB NOT NULL
      ) STRICT, WITHOUT ROWID;
      INSERT INTO lanes VALUES ('${DEVICE_A}/3', 2, x'80');
      CREATE TABLE hubs (hub TEXT PRIMARY KEY, hlc BLOB NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE keys (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE) STRICT;
      INSERT INTO keys VALUES (1, CAST('meters/1' AS BLOB));
      CREATE TABLE events (key_id INTEGER PRIMARY KEY, rank BLOB NOT NULL, body BLOB NOT NULL) STRICT;
      CREATE TABLE tombstones (key_id INTEGER PRIMARY KEY, rank BLOB NOT NULL) STRICT;
      CREATE TABLE fields (
        key_id INTEGER NOT NULL, field BLOB NOT NULL, rank BLOB NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (key_id, field)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE readings (
        id INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, body BLOB NOT NULL
      ) STRICT;
      CREATE INDEX readings_by_key ON readings (key_id, at_ms);
      INSERT INTO readings (key_id, at_ms, body) VALUES (1, 1000, x'31'), (1, 2000, x'32');
      PRAGMA user_version = 1;`);
    file.close();
    const store = openStore(dir);
    assert.equal(store.checkpointLsn, 7);
    store.apply(entriesOf([stampedOp({ seq: 3, atMs: 3000, body: utf8('3') })]), 8);
    const { points } = store.readings({ key: 'meters/1', fromMs: 0, toMs: 1e9 });
    assert.deepEqual(
      points.map(({ atMs, payload }) => [atMs, textOf(payload as Uint8Array)]),
      [
        [1000, '1'],
        [2000, '2'],
        [3000, '3'],
      ],
    );
    store.close();
  });

  it('that cannot be made is a fault with a hint', () => {
    assert.equal(
      faultOf(() => openStore('/nonexistent')),
      'store.failed',
    );
  });
});

describe('entries of the journal', () => {
  it('that are local change nothing; what is malformed is told and passed over', () => {
    const store = openStore(tempDir());
    assert.equal(store.stageEntry(1, encodeLocalEntry(Uint8Array.of(1))), undefined);
    assert.match(store.stageEntry(2, utf8('nonsense')) ?? '', /not an array/);
    const { bytes, stamp } = stampedOp({ key: 'xy' });
    const entry = encodeOpEntry(bytes, stamp);
    entry[entry.indexOf(0x78)] = 0xff;
    assert.match(store.stageEntry(3, entry) ?? '', /UTF-8/);
    assert.equal(store.appliedLsn, 3);
    assert.equal(store.digest().ops, 0);
    store.commit();
    assert.equal(store.checkpointLsn, 3);
    store.close();
  });

  it('show at once and are kept by the commit, at the latest when the store closes', () => {
    const dir = tempDir();
    const store = openStore(dir);
    store.apply(entriesOf(HISTORY), 6);
    const { digest } = store.digest();
    const { bytes, stamp } = stampedOp({ key: 'new', seq: 99 });
    store.stageEntry(7, encodeOpEntry(bytes, stamp));
    assert.equal(store.latest('new').length, 1);
    assert.notEqual(store.digest().digest, digest);
    assert.deepEqual([store.checkpointLsn, store.appliedLsn], [6, 7]);
    store.close();
    const again = openStore(dir);
    assert.equal(again.checkpointLsn, 7);
    again.close();
  });
});

describe('persist', () => {
  it('moves the durable LSN and empties the WAL', async () => {
    const store = openStore(tempDir());
    store.apply(entriesOf(HISTORY), 6);
    assert.equal(store.durableLsn, 0);
    assert.ok(store.unsettledPages() > 0);
    assert.equal(await store.persist(), 6);
    assert.equal(store.durableLsn, 6);
    assert.equal(store.unsettledPages(), 0);
    store.close();
  });

  it('syncs the WAL before its pages are copied and the database before the WAL is used again', async () => {
    const synced: string[] = [];
    const files = filesWithSync((file, done) => {
      synced.push(file.path.endsWith('-wal') ? 'wal' : 'database');
      file.datasync(done);
    });
    const store = openStore(tempDir(), { files });
    store.apply(entriesOf(HISTORY), 6);
    const persisted = store.persist();
    assert.throws(() => store.apply([], 7), /no transaction begins/);
    await persisted;
    assert.deepEqual(synced, ['wal', 'database']);
    store.close();
  });

  it('that fails is a fault, and the store is not used any more', async () => {
    const files = filesWithSync((_file, done) => {
      done(new Error('EIO'));
    });
    const store = openStore(tempDir(), { files });
    store.apply(entriesOf(HISTORY), 6);
    await assert.rejects(store.persist(), /sync of the state database/);
    assert.equal(store.fault?.code, 'store.failed');
    assert.equal(
      faultOf(() => store.digest()),
      'store.failed',
    );
    store.close();
  });

  it('is not needed where each commit is durable', () => {
    const store = openStore(tempDir(), { durability: 'each-commit' });
    store.apply(entriesOf(HISTORY), 6);
    assert.equal(store.durableLsn, 6);
    store.close();
  });
});
