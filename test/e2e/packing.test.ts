/** A backlog that is packed in a thread, by a real hub that is killed while it packs: everything arrives, once. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { connectAsync } from 'mqtt';
import { test } from 'vitest';

import {
  type Digest,
  eventually,
  getJson,
  type StatusView,
  uplinked,
} from '../support/hubs/api.ts';
import { type RunningHub, startHub, startRegional } from '../support/hubs/hub.ts';
import { freePort } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const PUBLISHES = 8_000;
const WINDOW = 200;
const KILLS = 3;
/** Of a thread's line in /proc, behind the name in parentheses. */
const NICE_FIELD = 16;

async function publish(hub: RunningHub): Promise<void> {
  const client = await connectAsync(hub.mqttUrl, { reconnectPeriod: 0 });
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < PUBLISHES) {
      const i = (next += 1);
      await client.publishAsync(`meters/m${i % 50}`, `{"w":${i},"v":${230 + (i % 7)}}`, { qos: 1 });
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, work));
  await client.endAsync();
}

/** Threads of a process that let others go first. */
function politeThreads(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  try {
    return readdirSync(tasks).filter((task) => {
      const fields = readFileSync(`${tasks}/${task}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
      return Number(fields?.[NICE_FIELD]) > 0;
    }).length;
  } catch {
    return 0;
  }
}

async function hasWork({ httpUrl }: RunningHub): Promise<boolean> {
  const { journal } = await getJson<StatusView>(`${httpUrl}api/v1/status`);
  return journal.receiptedLsn < journal.durableLsn;
}

async function digestOf(url: string): Promise<Digest> {
  return getJson<Digest>(`${url}api/v1/digest?site=demo`);
}

test('a hub that is killed while its thread packs a backlog', async () => {
  const [data, port] = [tempDir(), await freePort()];
  const start = (): Promise<RunningHub> =>
    startHub({ data, sets: [`uplink.url=mqtt://127.0.0.1:${port}`] });
  let hub = await start();
  await publish(hub);
  const { httpUrl } = await startRegional({ data: tempDir(), mqttPort: port });
  let seen = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    hub.process.kill('SIGKILL');
    await hub.process.exited;
    hub = await start();
    // Until a thread is at work, or nothing is left to pack.
    while (politeThreads(hub.process.pid) === 0 && (await hasWork(hub))) await pause(10);
    seen += politeThreads(hub.process.pid);
  }
  assert.ok(seen > 0, 'no thread was seen at work');
  await uplinked(hub.httpUrl);
  const [ours, theirs] = [await digestOf(hub.httpUrl), await digestOf(httpUrl)];
  assert.equal(theirs.digest, ours.digest);
  await eventually(
    async () => politeThreads(hub.process.pid),
    (threads) => threads === 0,
  );
});
