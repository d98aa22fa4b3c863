/** No room at the region while two hubs send, in a really small file system: nothing is receipted that is not kept, and with room it goes on. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, rmSync, statfsSync, writeFileSync } from 'node:fs';

import { connectAsync } from 'mqtt';

import { type Digest, eventually, getJson, uplinked } from '../support/hubs/api.ts';
import { openWorker, startBroker } from '../support/hubs/fleet-world.ts';
import { type RunningHub, startHub, startRegional } from '../support/hubs/hub.ts';
import { peer, runsWith } from '../support/machine/peers.ts';
import { PostgresServer } from '../support/machine/postgres.ts';
import { smallDisk, testWithMounts } from '../support/machine/small-disk.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const MIB = 1 << 20;
const PUBLISHES = 150;
const AT_ONCE = 'capture=[{filter="#",class="alarm"}]';

interface Status {
  readonly backlog: Readonly<Record<string, { readonly ops: number }>>;
}

const digestOf = (url: string): Promise<Digest> => getJson<Digest>(`${url}api/v1/digest?site=demo`);

const faultsAt = async (url: string): Promise<readonly unknown[]> =>
  (await getJson<{ faults: readonly unknown[] }>(`${url}api/v1/status`)).faults;

/** Three MiB that nothing makes smaller. */
async function publishMuch(hub: RunningHub): Promise<void> {
  const client = await connectAsync(hub.mqttUrl, { reconnectPeriod: 0 });
  for (let i = 0; i < PUBLISHES; i++) {
    await client.publishAsync(`photos/${i}`, randomBytes(20_000), { qos: 1 });
  }
  await client.endAsync();
}

/** Leaves no more than half a MiB. */
function fill(disk: string): () => void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(`${disk}/ballast`, new Uint8Array(Math.max(0, bavail * bsize - MIB / 2)));
  return () => rmSync(`${disk}/ballast`);
}

async function fullAndFree(
  hubs: readonly RunningHub[],
  regionUrl: () => string,
  disk: string,
  isTold: () => Promise<unknown>,
): Promise<void> {
  const makeRoom = fill(disk);
  await Promise.all(hubs.map((hub) => publishMuch(hub)));
  await isTold();
  await eventually(
    () => faultsAt(regionUrl()),
    (faults) => faults.length === 1,
  );
  const waiting = await Promise.all(
    hubs.map(({ httpUrl }) => getJson<Status>(`${httpUrl}api/v1/status`)),
  );
  const waits = waiting.some(({ backlog }) => (backlog['alarm']?.ops ?? 0) > 0);
  assert.ok(waits, 'what found no place has no receipt');
  makeRoom();
  for (const { httpUrl } of hubs) await uplinked(httpUrl);
  assert.equal((await digestOf(regionUrl())).ops, hubs.length * PUBLISHES, 'each once');
  await eventually(
    () => faultsAt(regionUrl()),
    (faults) => faults.length === 0,
  );
  const health = await eventually(
    () => fetch(`${regionUrl()}healthz`),
    ({ status }) => status === 200,
  );
  assert.equal(health.status, 200);
}

testWithMounts(
  'the disk of a region with files and SQLite is full, and then it is not',
  async () => {
    const disk = smallDisk(24);
    const region = await startRegional({ data: `${disk}/data` });
    const sets = [`uplink.url=${region.mqttUrl}`, AT_ONCE];
    const hubs = await Promise.all([0, 1].map(() => startHub({ data: tempDir(), sets })));
    for (const { httpUrl } of hubs) await uplinked(httpUrl);
    await fullAndFree(
      hubs,
      () => region.httpUrl,
      disk,
      () => region.process.line(/regional\.disk/),
    );
  },
);

if (runsWith('postgres')) {
  testWithMounts('the disk of PostgreSQL is full, and then it is not', async () => {
    const disk = smallDisk(160);
    chmodSync(disk, 0o755);
    const server = await PostgresServer.start(['max_wal_size=32MB', 'min_wal_size=32MB'], disk);
    try {
      const url = server.url(await server.create());
      const dir = tempDir();
      const port = await startBroker(dir, peer('mosquitto') ?? '');
      const worker = await openWorker(dir, 0, port, url);
      const sets = [`uplink.url=mqtt://127.0.0.1:${port}`, AT_ONCE];
      const hubs = await Promise.all([0, 1].map(() => startHub({ data: tempDir(), sets })));
      for (const { httpUrl } of hubs) await uplinked(httpUrl);
      await fullAndFree(
        hubs,
        () => worker.httpUrl,
        disk,
        () => worker.process.line(/database\.away|regional\.database/),
      );
    } finally {
      await server.stop();
    }
  });
}
