/**
 * A database that is set back while its workers run: restored from a backup, or failed over to a standby that was behind. What
 * they remember of it is not so any more, numbers are given anew to other names, and what hubs send again is stored as it is.
 */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

import { COMMAND, RECORD } from '../../src/model/class.ts';
import type { StampedOp } from '../../src/model/op.ts';
import type { Database } from '../../src/platform/network/postgres.ts';
import { batchOf, SITE, stampedOp, stampedOps, START_MS } from '../support/made/batches.ts';
import { runsWith } from '../support/machine/peers.ts';
import { connect, PostgresServer } from '../support/machine/postgres.ts';
import { keepBatch, type Place, placeOf, postgresAt } from '../support/memory/site-storages.ts';

const hasPeers = runsWith('postgres');
const KICK_ALL = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()`;

describe.skipIf(!hasPeers)('a database that is set back (skipped without postgres)', () => {
  let server: PostgresServer;
  let admin: Database;

  beforeAll(async () => {
    server = await PostgresServer.start();
    admin = await connect(server.url('postgres'), 1);
  });

  afterAll(async () => {
    await admin.close();
    await server.stop();
  });

  async function alone(statement: string): Promise<void> {
    await admin.query(KICK_ALL);
    await admin.query(statement);
  }

  /** A backup of it as it is; resolves with what puts that in its place. */
  async function backupOf(name: string): Promise<() => Promise<void>> {
    await alone(`CREATE DATABASE ${name}_kept TEMPLATE ${name}`);
    return async () => {
      await alone(`ALTER DATABASE ${name} RENAME TO ${name}_gone`);
      await alone(`ALTER DATABASE ${name}_kept RENAME TO ${name}`);
    };
  }

  async function keep(place: Place, ops: readonly StampedOp[]): Promise<void> {
    const kept = await keepBatch(place.site, await batchOf(ops));
    assert.equal(kept.kind, 'kept');
  }

  async function countOf(place: Place, key: string): Promise<number> {
    const page = await place.site.readings({ key, fromMs: START_MS, toMs: START_MS + 1_000 });
    return page.points.length;
  }

  test('a key has its own readings, whatever number it had before', async () => {
    const name = await server.create();
    const place = await placeOf(postgresAt(server.url(name)));
    await keep(place, stampedOps(1, 3, { key: 'first' }));
    const setBack = await backupOf(name);
    await keep(place, stampedOps(4, 8, { key: 'lost' }));
    await setBack();
    await keep(place, stampedOps(9, 10, { key: 'new' }));
    await keep(place, stampedOps(4, 8, { key: 'lost' }));
    const counts = await Promise.all(['first', 'lost', 'new'].map((key) => countOf(place, key)));
    assert.deepEqual(counts, [3, 5, 2]);
    await place.close();
  });

  test('a site that is not there any more ends the worker, which begins anew', async () => {
    const name = await server.create();
    const storage = await postgresAt(server.url(name))();
    const setBack = await backupOf(name);
    const place = await placeOf(async () => storage);
    assert.deepEqual(await storage.sites(), [SITE]);
    await setBack();
    await assert.rejects(storage.sites(), { code: 'region.set-back' });
    await place.close();
  });

  test('a lane that is not there any more is made again', async () => {
    const name = await server.create();
    const place = await placeOf(postgresAt(server.url(name)));
    await keep(place, [stampedOp(1)]);
    const setBack = await backupOf(name);
    await keep(place, [stampedOp(1, { class: COMMAND })]);
    await keep(place, [stampedOp(1, { class: RECORD })]);
    await setBack();
    await keep(place, [stampedOp(1, { class: RECORD })]);
    await keep(place, [stampedOp(1, { class: COMMAND })]);
    assert.equal((await place.site.digest()).ops, 3);
    await place.close();
  });
});
