/**
 * A database that answers and does not take what comes: it is full, at whichever table a batch meets it, only reads for a while as
 * a standby does, or its operator ends statements. Nothing of the batch is there, the fault is one that passes, and the
 * same batch is kept, once, by the next try. The server says so itself; that it is full a trigger makes it say.
 */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import type { Database } from '../../src/platform/network/postgres.ts';
import { eventually } from '../support/hubs/api.ts';
import { batchOf, HUB_ID, stampedOps } from '../support/made/batches.ts';
import {
  chunksOf,
  keepBatch,
  keepComplete,
  opened,
  type Place,
  placeOf,
  postgresAt,
  putAll,
} from '../support/memory/site-storages.ts';
import { runsWith } from '../support/machine/peers.ts';
import { connect, PostgresServer } from '../support/machine/postgres.ts';

const hasPeers = runsWith('postgres');
/** Where keeping a batch writes. */
const TABLES = ['receipt', 'batch', 'reading', 'lane', 'latest'];
/** A sequence goes on although what raised it is undone: so it tells how often the disk was full. */
const FULL = `
  CREATE SEQUENCE public.refusals;
  CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM nextval('public.refusals');
    RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full';
  END $$`;
const REFUSALS = 'SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM public.refusals';

async function refusals(database: Database): Promise<number> {
  const [row] = await database.query(REFUSALS);
  return Number(row?.['n']);
}

async function fill(database: Database, table: string): Promise<void> {
  await database.query(
    `CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON heliograph.${table}
      FOR EACH ROW EXECUTE FUNCTION public.refuse()`,
  );
}

async function empty(database: Database, table: string): Promise<void> {
  await database.query(`DROP TRIGGER full_disk ON heliograph.${table}`);
}

async function takesWrites(database: Database, does: boolean): Promise<void> {
  await database.query(`ALTER SYSTEM SET default_transaction_read_only = ${does ? 'off' : 'on'}`);
  await database.query('SELECT pg_reload_conf()');
  const setting = async (): Promise<unknown> => {
    const [row] = await database.query('SHOW default_transaction_read_only');
    return row?.['default_transaction_read_only'];
  };
  await eventually(setting, (is) => is === (does ? 'off' : 'on'));
}

describe.skipIf(!hasPeers)('an ailing database (skipped without postgres)', () => {
  let server: PostgresServer;
  let place: Place;
  let database: Database;

  beforeAll(async () => {
    server = await PostgresServer.start();
    const url = server.url(await server.create());
    place = await placeOf(postgresAt(url));
    database = await connect(url, 1);
    await database.query(FULL);
  });

  afterAll(async () => {
    await database.close();
    await place.close();
    await server.stop();
  });

  test('a chunk waits for room, and is there once', async () => {
    const { site } = place;
    const batch = await batchOf(stampedOps(1, 40), { fromLsn: 1, throughLsn: 40 });
    const [chunk] = chunksOf(batch.bytes);
    assert.ok(chunk !== undefined);
    await fill(database, 'chunk');
    const putting = site.put(HUB_ID, batch.id, chunk);
    await eventually(
      () => refusals(database),
      (count) => count > 1,
    );
    assert.equal(await site.have(HUB_ID, batch.id), undefined);
    await empty(database, 'chunk');
    assert.equal((await putting).kind, 'kept');
    assert.equal((await keepBatch(site, batch)).kind, 'kept');
    assert.equal((await site.digest()).ops, 40);
  });

  test('while work waits for room it is away, although it answers who reads, and the log says so once', async () => {
    const told: string[] = [];
    const tell = (event: string): void => void told.push(event);
    const log = { ...SILENT_LOG, info: tell, warn: tell };
    const asked = await connect(server.url('postgres'), 2, undefined, log);
    let isFull = true;
    const full = `DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$`;
    const waiting = asked.patiently(() => asked.query(isFull ? full : 'SELECT 1'));
    await eventually(
      async () => asked.awayBy,
      (why) => why === 'no room',
    );
    await asked.query('SELECT 1');
    assert.equal(asked.awayBy, 'no room');
    isFull = false;
    await waiting;
    assert.equal(asked.awayBy, undefined);
    assert.deepEqual(told, ['database.away', 'database.back']);
    await asked.close();
  });

  test.each(TABLES)(
    'nothing of a batch is kept, and all of it when there is room: %s',
    async (table) => {
      const { site } = place;
      const before = await site.digest();
      // A key of its own, so that no row of it is there yet.
      const from = 1 + 40 * (1 + TABLES.indexOf(table));
      const ops = stampedOps(from, from + 39, { key: `made/for/${table}` });
      const batch = await batchOf(ops, { fromLsn: from, throughLsn: from + 39 });
      assert.ok(await putAll(site, batch));
      await fill(database, table);
      const claim = await site.claim(HUB_ID, batch.id);
      assert.ok(claim !== undefined);
      const read = await opened(claim, batch.id);
      await assert.rejects(claim.keep(read), { code: 'database.away' });
      await claim.release();
      assert.equal(await site.receipt(HUB_ID, batch.id), undefined);
      assert.deepEqual(await site.digest(), before);
      await empty(database, table);
      assert.equal((await keepComplete(site, batch.id)).kind, 'kept');
      assert.equal((await site.digest()).ops, before.ops + 40);
    },
  );

  test('chunks and batches wait for one that only reads', async () => {
    const { site } = place;
    const before = await site.digest();
    const [first, second] = await Promise.all(
      [301, 341].map((from) =>
        batchOf(stampedOps(from, from + 39), { fromLsn: from, throughLsn: from + 39 }),
      ),
    );
    assert.ok(first !== undefined && second !== undefined);
    assert.ok(await putAll(site, first));
    await takesWrites(database, false);
    await assert.rejects(site.claim(HUB_ID, first.id), { code: 'database.away' });
    let isPut = false;
    const [chunk] = chunksOf(second.bytes);
    assert.ok(chunk !== undefined);
    const putting = site.put(HUB_ID, second.id, chunk).finally(() => (isPut = true));
    await assert.rejects(site.claim(HUB_ID, first.id), { code: 'database.away' });
    assert.equal(isPut, false);
    await takesWrites(database, true);
    assert.equal((await putting).kind, 'kept');
    assert.equal((await keepComplete(site, first.id)).kind, 'kept');
    assert.equal((await site.digest()).ops, before.ops + 40);
  });

  test('a batch whose turn is lost against another, or ended by the operator, is kept by the next', async () => {
    const { site } = place;
    const batch = await batchOf(stampedOps(401, 440), { fromLsn: 401, throughLsn: 440 });
    assert.ok(await putAll(site, batch));
    for (const end of ['pg_cancel_backend', 'pg_terminate_backend']) {
      const before = await site.digest();
      await database.query('BEGIN');
      await database.query('LOCK TABLE heliograph.receipt IN ACCESS EXCLUSIVE MODE');
      const claim = await site.claim(HUB_ID, batch.id);
      assert.ok(claim !== undefined);
      const keeping = claim.keep(await opened(claim, batch.id));
      const ended = assert.rejects(keeping, { code: 'database.away' });
      await eventually(
        () =>
          database.query(
            `SELECT ${end}(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
          ),
        (rows) => rows.length > 0,
      );
      await ended;
      await database.query('ROLLBACK');
      await claim.release();
      assert.deepEqual(await site.digest(), before, end);
    }
    assert.equal((await keepComplete(site, batch.id)).kind, 'kept');
  });
});
