/**
 * What an old backup brings back: a region whose storage is older than what it has receipted, and a hub whose card is an image of
 * last week. Real processes, with both storages of a region.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { connectAsync } from 'mqtt';
import { describe, onTestFinished, test } from 'vitest';

import {
  type Digest,
  eventually,
  getJson,
  type StatusView,
  uplinked,
} from '../support/hubs/api.ts';
import { openWorker, startBroker } from '../support/hubs/fleet-world.ts';
import { type RunningHub, startHub, startRegional } from '../support/hubs/hub.ts';
import { publishTo } from '../support/hubs/mqtt-client.ts';
import { peer, runsWith } from '../support/machine/peers.ts';
import { connect, PostgresServer } from '../support/machine/postgres.ts';
import { freePort, type Spawned } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Region {
  /** For hubs. */
  readonly url: string;
  start(): Promise<{ readonly process: Spawned; readonly httpUrl: string }>;
  /** Of a region that is stopped. */
  backUp(): Promise<void>;
  restore(): Promise<void>;
  /** Batches that lie aside because of a forked history. */
  forked(): Promise<number>;
}

async function embedded(): Promise<Region> {
  const [data, backup, port] = [tempDir(), tempDir(), await freePort()];
  return {
    url: `mqtt://127.0.0.1:${port}`,
    start: () => startRegional({ data, mqttPort: port }),
    backUp: async () => cpSync(data, backup, { recursive: true }),
    restore: async () => {
      rmSync(data, { recursive: true });
      cpSync(backup, data, { recursive: true });
    },
    forked: async () =>
      readdirSync(join(data, 'regional/sites/demo/parked')).filter((it) => it.endsWith('.batch'))
        .length,
  };
}

async function postgres(): Promise<Region> {
  const server = await PostgresServer.start();
  onTestFinished(() => server.stop());
  const name = await server.create();
  const [dir, url] = [tempDir(), server.url(name)];
  const port = await startBroker(dir, peer('mosquitto') ?? '');
  const ask = async (at: string, ...statements: string[]): Promise<unknown> => {
    const database = await connect(at, 1);
    let rows: readonly unknown[] = [];
    // The server may not have noticed yet that the worker has ended, and lets nobody copy a database in use.
    for (const statement of statements) {
      rows = await eventually(
        () => database.query(statement).catch(() => undefined),
        (answer) => answer !== undefined,
      ).then((answer) => answer ?? []);
    }
    await database.close();
    return rows[0];
  };
  return {
    url: `mqtt://127.0.0.1:${port}`,
    start: () => openWorker(dir, 0, port, url),
    backUp: async () =>
      void (await ask(server.url('postgres'), `CREATE DATABASE backup TEMPLATE ${name}`)),
    restore: async () => {
      const statements = [`DROP DATABASE ${name}`, `CREATE DATABASE ${name} TEMPLATE backup`];
      await ask(server.url('postgres'), ...statements);
    },
    forked: async () => {
      const counted = "SELECT count(*) AS n FROM heliograph.parked WHERE reason = 'forked history'";
      return Number(((await ask(url, counted)) as { n: string }).n);
    },
  };
}

const hasPeers = runsWith('mosquitto', 'postgres', 'initdb');
const KINDS: [string, () => Promise<Region>][] = [
  ['embedded', embedded],
  ...(hasPeers ? [['PostgreSQL', postgres] as [string, () => Promise<Region>]] : []),
];

async function publish(hub: RunningHub, topic: string, count: number): Promise<void> {
  const client = await connectAsync(hub.mqttUrl, { reconnectPeriod: 0 });
  for (let i = 0; i < count; i++) await client.publishAsync(topic, `${topic} ${i}`, { qos: 1 });
  await client.endAsync();
}

const AT_ONCE = 'capture=[{filter="#",class="alarm"}]';
const digestOf = async (url: string): Promise<string> =>
  (await getJson<Digest>(`${url}api/v1/digest?site=demo`)).digest;

const opsAt = async (url: string): Promise<number> =>
  (await getJson<Digest>(`${url}api/v1/digest?site=demo`)).ops;

async function agree(...urls: [string, string]): Promise<void> {
  const both = async (): Promise<string[]> => Promise.all(urls.map(digestOf));
  await eventually(both, ([first, second]) => first === second);
}

test.skipIf(hasPeers)('PostgreSQL (skipped: needs mosquitto, postgres)', () => undefined);

describe.each(KINDS)('an old backup: %s', (_name, make) => {
  test('a region that was restored from one gets again what it had receipted since', async () => {
    const region = await make();
    const first = await region.start();
    const hub = await startHub({ data: tempDir(), sets: [`uplink.url=${region.url}`, AT_ONCE] });
    await publish(hub, 'before', 20);
    await uplinked(hub.httpUrl);
    await first.process.stop();
    await region.backUp();
    const second = await region.start();
    await publish(hub, 'after', 20);
    await agree(second.httpUrl, hub.httpUrl);
    await second.process.stop();
    await region.restore();
    const third = await region.start();
    // It finds out with the next thing that comes.
    await publish(hub, 'since', 1);
    await agree(third.httpUrl, hub.httpUrl);
    assert.equal(await region.forked(), 0);
  });

  test('what the hub has let go of meanwhile is gone: the region says which ops, and takes the rest', async () => {
    const region = await make();
    const first = await region.start();
    const small = ['journal.segment_mib=1', 'journal.total_mib_max=16', 'journal.keep_days=0'];
    const sets = [`uplink.url=${region.url}`, AT_ONCE, ...small];
    const hub = await startHub({ data: tempDir(), sets });
    await publish(hub, 'before', 20);
    await uplinked(hub.httpUrl);
    await first.process.stop();
    await region.backUp();
    const second = await region.start();
    for (let n = 0; n < 15; n++) await publishTo(hub.mqttUrl, 'after', randomBytes(200_000));
    // The log has its receipts with the next session, and without those nothing is let go of.
    const releasing = async (): Promise<number> => {
      await publishTo(hub.mqttUrl, 'after', 'x');
      await uplinked(hub.httpUrl);
      await pause(3_000);
      const { journal } = await getJson<StatusView>(`${hub.httpUrl}api/v1/status`);
      return journal.firstLsn;
    };
    await eventually(releasing, (firstLsn) => firstLsn > 30);
    await second.process.stop();
    await region.restore();
    const third = await region.start();
    await publish(hub, 'since', 1);
    const said = await third.process.line(/regional\.ledger\.gap.*"class":"alarm"/);
    await hub.process.line(/uplink\.region\.forgot.*"class":"alarm"/);
    const { fromOp, throughOp } = JSON.parse(said) as { fromOp: number; throughOp: number };
    assert.equal(fromOp, 21);
    const all = await opsAt(hub.httpUrl);
    assert.ok(throughOp > fromOp && throughOp < all, said);
    await eventually(
      () => opsAt(third.httpUrl),
      (ops) => ops === all - (throughOp - fromOp + 1),
    );
    const { sync, faults } = await eventually(
      () => getJson<StatusView>(`${hub.httpUrl}api/v1/status`),
      ({ sync: { state } }) => state === 'forgotten upstream',
    );
    const message = faults.find(({ code }) => code === 'uplink.forgotten')?.message ?? '';
    assert.match(message, new RegExp(`class alarm through op ${throughOp}\\b`), sync.state);
  });

  test('a hub that was restored from one is found out, and both histories are kept', async () => {
    const region = await make();
    const { httpUrl, process: node } = await region.start();
    const [data, image] = [tempDir(), tempDir()];
    const start = (): Promise<RunningHub> =>
      startHub({ data, sets: [`uplink.url=${region.url}`, AT_ONCE] });
    const first = await start();
    await publish(first, 'before', 10);
    await uplinked(first.httpUrl);
    await first.process.stop();
    cpSync(data, image, { recursive: true });
    const second = await start();
    await publish(second, 'one-way', 10);
    await uplinked(second.httpUrl);
    const told = await digestOf(httpUrl);
    assert.equal(told, await digestOf(second.httpUrl));
    await second.process.stop();
    rmSync(data, { recursive: true });
    cpSync(image, data, { recursive: true });
    const third = await start();
    await publish(third, 'other-way', 10);
    await node.line(/regional\.ledger\.forked/);
    await eventually(
      () => region.forked(),
      (count) => count > 0,
    );
    assert.equal(await digestOf(httpUrl), told, 'nothing of the other history is mixed in');
    interface Status {
      readonly faults: readonly { readonly code: string; readonly hint: string }[];
      readonly backlog: Readonly<Record<string, { readonly ops: number }>>;
    }
    const status = await eventually(
      () => getJson<Status>(`${third.httpUrl}api/v1/status`),
      ({ faults }) => faults.some(({ code }) => code === 'ledger.forked'),
    );
    assert.equal(status.backlog['alarm']?.ops, 10, 'the hub keeps what was refused');
  });
});
