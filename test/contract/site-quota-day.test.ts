/** The day of a quota is that of UTC, as hubs are told, wherever the server of the database stands. */
import assert from 'node:assert/strict';

import { afterAll, beforeAll } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import { machineTimers } from '../../src/platform/clock.ts';
import { SimClock } from '../../src/platform/sim/clock.ts';
import { PgStorage } from '../../src/regional/postgres/pg-storage.ts';
import { batchOf, HUB_ID, REGION, stampedOps, START_MS } from '../support/made/batches.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { connect } from '../support/machine/postgres.ts';
import { placeOf, putAll, STORAGES } from '../support/memory/site-storages.ts';

beforeAll(() => STORAGES.start());
afterAll(() => STORAGES.stop());

const MIB = 1 << 20;

testWithPeers('a server whose midnight is another one', ['postgres', 'initdb'], async () => {
  const { server } = STORAGES;
  assert.ok(server !== undefined);
  const name = await server.create();
  const url = server.url(name);
  const owner = await connect(server.url('postgres'), 1);
  // At this hour its date is not that of UTC.
  const zone = new Date().getUTCHours() < 12 ? 'Etc/GMT+12' : 'Etc/GMT-14';
  await owner.query(`ALTER DATABASE ${name} SET timezone = '${zone}'`);
  await owner.close();

  const place = await placeOf(async () =>
    PgStorage.open({
      clock: new SimClock(START_MS),
      database: await connect(url),
      timers: machineTimers,
      log: SILENT_LOG,
      publicKey: REGION.publicKey,
      keepDays: { readings: 30, batches: 30 },
      limits: { hubMibPerDay: 1 },
    }),
  );
  const { site, storage } = place;
  await putAll(site, await batchOf(stampedOps(1, 9)));
  const { database } = storage as PgStorage;
  const [day] = await database.query(
    "SELECT day = (now() AT TIME ZONE 'UTC')::date AS is_utc, current_date = day AS is_local FROM heliograph.traffic",
  );
  assert.deepEqual({ ...day }, { is_utc: true, is_local: false });
  const [hub] = await database.query('SELECT bytes_today FROM heliograph.hubs');
  assert.ok(Number(hub?.['bytes_today']) > 0, 'people see it, too');

  // All of the day but the place for a chunk.
  await database.query(`UPDATE heliograph.traffic SET bytes = ${MIB - 1}`);
  assert.equal(await site.spent(HUB_ID), 'quota');
  await database.query('UPDATE heliograph.traffic SET day = day - 1');
  assert.equal(await site.spent(HUB_ID), 'no', 'yesterday is over');
  await place.close();
});
