/**
 * A database that answers and takes nothing for a while, as a standby does or one whose operator ends statements: what
 * comes waits for it, and is there once.
 */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

import type { Database } from '../../src/platform/network/postgres.ts';
import { eventually } from '../support/hubs/api.ts';
import { batchOf, HUB_ID, stampedOps } from '../support/made/batches.ts';
import {
  chunksOf,
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

describe.skipIf(!hasPeers)('a database that takes nothing (skipped without postgres)', () => {
  let server: PostgresServer;
  let place: Place;
  let database: Database;

  beforeAll(async () => {
    server = await PostgresServer.start();
    const url = server.url(await server.create());
    place = await placeOf(postgresAt(url));
    database = await connect(url, 1);
  });

  afterAll(async () => {
    await database.close();
    await place.close();
    await server.stop();
  });

  async function takesWrites(does: boolean): Promise<void> {
    await database.query(`ALTER SYSTEM SET default_transaction_read_only = ${does ? 'off' : 'on'}`);
    await database.query('SELECT pg_reload_conf()');
    const setting = async (): Promise<unknown> => {
      const [row] = await database.query('SHOW default_transaction_read_only');
      return row?.['default_transaction_read_only'];
    };
    await eventually(setting, (is) => is === (does ? 'off' : 'on'));
  }

  test('chunks and batches wait for one that only reads', async () => {
    const { site } = place;
    const [first, second] = await Promise.all(
      [1, 41].map((from) =>
        batchOf(stampedOps(from, from + 39), { fromLsn: from, throughLsn: from + 39 }),
      ),
    );
    assert.ok(first !== undefined && second !== undefined);
    assert.ok(await putAll(site, first));
    await takesWrites(false);
    await assert.rejects(site.claim(HUB_ID, first.id), { code: 'database.away' });
    let isPut = false;
    const [chunk] = chunksOf(second.bytes);
    assert.ok(chunk !== undefined);
    const putting = site.put(HUB_ID, second.id, chunk).finally(() => (isPut = true));
    await assert.rejects(site.claim(HUB_ID, first.id), { code: 'database.away' });
    assert.equal(isPut, false);
    await takesWrites(true);
    assert.equal((await putting).kind, 'kept');
    assert.equal((await keepComplete(site, first.id)).kind, 'kept');
    assert.equal((await site.digest()).ops, 40);
  });

  test('a batch whose turn is lost against another, or ended by the operator, is kept by the next', async () => {
    const { site } = place;
    const batch = await batchOf(stampedOps(101, 140), { fromLsn: 101, throughLsn: 140 });
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
