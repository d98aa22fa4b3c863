/**
 * A worker that makes the tables of a PostgreSQL region is killed at many moments: what it leaves is all of a version or
 * nothing, and the next one goes on.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Database } from '../../src/platform/network/postgres.ts';
import { REGIONAL_SCHEMA } from '../../src/versions.ts';
import { heliograph, startRegional } from '../support/hubs/hub.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { connect, PostgresServer } from '../support/machine/postgres.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const FIRST_MS = 300;
const LAST_MS = 1_500;
const STEP_MS = 20;

/** 0 where there is no schema. */
async function versionOf(database: Database): Promise<number> {
  const tables = await database.query("SELECT to_regclass('heliograph.migration') AS name");
  if (tables[0]?.['name'] === null) return 0;
  const rows = await database.query('SELECT max(version) AS version FROM heliograph.migration');
  return Number(rows[0]?.['version']);
}

async function story(): Promise<void> {
  const server = await PostgresServer.start();
  try {
    const url = server.url(await server.create());
    const database = await connect(url);
    const data = tempDir();
    const ports = ['regional.port=0', 'regional.http_port=0'];
    const sets = [...ports, `regional.database=${url}`];
    const args = sets.flatMap((set) => ['--set', set]);
    const seen = new Map<number, number>();
    for (let aliveMs = FIRST_MS; aliveMs <= LAST_MS; aliveMs += STEP_MS) {
      const worker = heliograph(['regional', 'run', '--data', data, ...args]);
      await sleep(aliveMs);
      worker.kill('SIGKILL');
      await worker.exited;
      const version = await versionOf(database);
      seen.set(version, 1 + (seen.get(version) ?? 0));
      if (version > 0) await database.query('DROP SCHEMA heliograph CASCADE');
    }
    console.log('killed, and the version that was there', seen);
    for (const version of seen.keys()) assert.ok(version === 0 || version === REGIONAL_SCHEMA);
    assert.equal(seen.size, 2, 'some were killed before the end, some behind it');
    const region = await startRegional({ data, sets: [`regional.database=${url}`] });
    assert.equal(await versionOf(database), REGIONAL_SCHEMA);
    await region.process.stop();
    await database.close();
  } finally {
    await server.stop();
  }
}

testWithPeers(
  'a worker killed in the midst of its migrations leaves all or nothing',
  ['postgres', 'initdb'],
  story,
);
