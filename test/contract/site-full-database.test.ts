/**
 * A database that is full, at whichever table a batch meets it: nothing of the batch is there, the fault is one that passes, and the
 * same batch is kept, once, when there is room again. The server says so itself; what makes it say so is a trigger.
 */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

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

describe.skipIf(!hasPeers)('a full database (skipped without postgres)', () => {
  let server: PostgresServer;
  let place: Place;
  let database: Database;

  beforeAll(async () => {
    server = await PostgresServer.start();
    const url = server.url(await server.create());
    place = await placeOf(postgresAt(url));
    database = await connect(url);
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
});
