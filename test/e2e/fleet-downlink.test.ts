/** Orders from a fleet of workers on one PostgreSQL, each of which may die at any time: every hub has each order once. */
import assert from 'node:assert/strict';

import { type Digest, eventually, getJson } from '../support/hubs/api.ts';
import { openFleet, type Worker } from '../support/hubs/fleet-world.ts';
import { type RunningHub, startHub } from '../support/hubs/hub.ts';
import { publishTo } from '../support/hubs/mqtt-client.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { connect } from '../support/machine/postgres.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const ORDERS = 6;
const AT_ONCE = 'capture=[{filter="#",class="alarm"}]';

interface SentRecord {
  readonly fields: Readonly<Record<string, string>>;
  readonly counters: { readonly sent: number };
}

/** Something to send opens a session, in which the hub asks for what waits. */
async function wake(hubs: readonly RunningHub[], word: string): Promise<void> {
  for (const { mqttPort } of hubs) {
    await publishTo(`mqtt://127.0.0.1:${mqttPort}`, 'wake', word);
  }
}

testWithPeers(
  'two workers, one of them killed after each third order: each hub has every order once',
  ['mosquitto', 'postgres', 'initdb'],
  async ([mosquitto = '']) => {
    const { port, url, start } = await openFleet(mosquitto);
    const workers = [await start(0), await start(1)];
    const sets = [`uplink.url=mqtt://127.0.0.1:${port}`, AT_ONCE];
    const hubs = await Promise.all([0, 1].map(() => startHub({ data: tempDir(), sets })));
    await wake(hubs, 'first');
    const metrics = (): Promise<{ hubs: readonly unknown[] }> =>
      getJson(`${workers[0]?.httpUrl ?? ''}api/v1/fleet`);
    await eventually(metrics, (fleet) => fleet.hubs.length === hubs.length);
    for (let order = 1; order <= ORDERS; order++) {
      const index = order % workers.length;
      await send(workers[index] as Worker, order);
      await wake(hubs, `order ${order}`);
      if (order % 3 > 0) continue;
      workers[index]?.process.kill('SIGKILL');
      await workers[index]?.process.exited;
      workers[index] = await start(index);
    }
    for (const { httpUrl } of hubs) {
      const record = await eventually(
        async () => {
          await wake(hubs, 'again');
          return getJson<SentRecord>(`${httpUrl}api/v1/records/orders`).catch(() => null);
        },
        (it) =>
          Object.keys(it?.fields ?? {}).length === ORDERS && (it?.counters.sent ?? 0) >= ORDERS,
      );
      assert.equal(record?.counters.sent, ORDERS, 'each counted once');
    }
    await checkDatabase(url, workers[1] as Worker);
  },
);

/** A field of its own, and one more in a counter that shows what comes twice. */
async function send({ httpUrl }: Worker, order: number): Promise<void> {
  for (const what of [{ set: { [`order${order}`]: 'open' } }, { add: { sent: 1 } }]) {
    const body = JSON.stringify({ site: 'demo', key: 'orders', ...what });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${httpUrl}api/v1/send`, { method: 'POST', body, headers });
    assert.equal(answer.status, 200, await answer.text());
  }
}

async function checkDatabase(url: string, worker: Worker): Promise<void> {
  const database = await connect(url);
  const ops = await database.query('SELECT seq FROM heliograph.site_op ORDER BY seq');
  assert.deepEqual(
    ops.map(({ seq }) => Number(seq)),
    Array.from({ length: 2 * ORDERS }, (_, index) => index + 1),
    'numbered without gap or double',
  );
  await database.close();
  const { records } = await getJson<Digest>(`${worker.httpUrl}api/v1/digest?site=demo`);
  assert.equal(records, 1);
}
