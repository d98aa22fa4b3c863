/** Real hubs and a device with the SDK: the hub it worked with burns down, or is out of reach for a day. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';

import { describe, test } from 'vitest';

import type { Device } from '../../src/client/node.ts';
import { eventually, getJson } from '../support/hubs/api.ts';
import { digestOfDevice, digestOfHub, openDevice, whenSettled } from '../support/hubs/devices.ts';
import { heliograph, type RunningHub, startHub } from '../support/hubs/hub.ts';
import { freePort } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

/** A hundred of them are more than a device keeps of what is receipted. */
const LONG_NOTE = 'pump leaks. '.repeat(350);

function setMany(device: Device, from: number, to: number, note: string): Promise<unknown> {
  const made = [];
  for (let n = from; n <= to; n++) made.push(device.record(`order/${n}`).set({ n, note }));
  return Promise.all(made);
}

async function killed(hub: RunningHub): Promise<void> {
  hub.process.kill('SIGKILL');
  await hub.process.exited;
}

async function statesOf({ httpUrl }: RunningHub): Promise<string[]> {
  const { sync } = await getJson<{ sync: { state: string; also: string[] } }>(
    `${httpUrl}api/v1/status`,
  );
  return [sync.state, ...sync.also];
}

function recordsAt({ httpUrl }: RunningHub): Promise<number> {
  return digestOfHub({ httpUrl }).then(({ records }) => records);
}

async function sameEverywhere(hubs: readonly RunningHub[], records: number): Promise<string> {
  const digests = await eventually(
    () => Promise.all(hubs.map((hub) => digestOfHub(hub))),
    (all) => all.every((it) => it.records === records && it.digest === all[0]?.digest),
  );
  return digests[0]?.digest ?? '';
}

describe('a device whose hub burned down', () => {
  test('brings everything to the next one, and work goes on', async () => {
    const mqttPort = await freePort();
    const url = `mqtt://127.0.0.1:${mqttPort}`;
    const data = tempDir();
    const device = await openDevice({ url, dir: tempDir(), name: 'tablet' });
    const first = await startHub({ data, mqttPort });
    device.wake();
    await setMany(device, 1, 50, 'short');
    await whenSettled(device);
    await killed(first);
    rmSync(data, { recursive: true });

    // Another hub in its place, which has never heard of the device.
    const second = await startHub({ data: tempDir(), mqttPort });
    device.wake();
    await setMany(device, 51, 55, 'short');
    await eventually(
      () => recordsAt(second),
      (records) => records === 55,
    );
    await whenSettled(device);
    assert.equal((await digestOfHub(second)).digest, digestOfDevice(device));
  });
});

describe('a device that has let go of what its hub had', () => {
  test('works on at another hub, and all have everything when the first one comes back', async () => {
    const mqttPort = await freePort();
    const url = `mqtt://127.0.0.1:${mqttPort}`;
    const data = [tempDir(), tempDir(), tempDir()] as const;
    const dir = tempDir();
    const worker = await openDevice({ url, dir, name: 'tablet' });
    const first = await startHub({ data: data[0], mqttPort });
    worker.wake();
    await setMany(worker, 1, 100, LONG_NOTE);
    const { digest: whole } = await digestOfHub(first);
    await eventually(
      () => Promise.resolve(digestOfDevice(worker)),
      (digest) => digest === whole,
    );
    await killed(first);
    // What its state has is shown from there, and only the newest is kept beside it.
    await worker.close();
    const device = await openDevice({ url, dir, name: 'tablet' });

    const peer = ['peer.enabled=true', 'peer.discover="off"'];
    const start = (at: 0 | 1 | 2, port: number, ...addresses: string[]): Promise<RunningHub> => {
      const sets = [...peer, `peer.addresses=${JSON.stringify(addresses)}`];
      return startHub({ data: data[at], mqttPort: port, sets });
    };
    const second = await start(1, mqttPort);
    device.wake();
    await setMany(device, 101, 110, 'short');
    await whenSettled(device);
    const had = await recordsAt(second);
    assert.ok(had >= 60 && had < 110, `${had} records`);
    assert.match(
      readFileSync(`${data[1]}/holes`, 'utf8'),
      /^[0-9a-f]{16} 2 1-\d+ \d+ open tablet\n$/,
    );

    // A kill later it still knows what it lacks, and tells a third one.
    await killed(second);
    const again = await start(1, mqttPort);
    const third = await start(2, await freePort(), url);
    await sameEverywhere([again, third], had);
    // People see it, and may say that nobody has it any more: then this hub says nothing of it, and loses nothing by that.
    assert.ok((await statesOf(again)).includes('held elsewhere'));
    await eventually(
      () => statesOf(third),
      (states) => states.includes('held elsewhere'),
    );
    const list = heliograph(['holes', 'list', '--json', '--data', data[2]]);
    const { holes } = JSON.parse(await list.line(/^\{/)) as { holes: { origin: string }[] };
    assert.equal(holes.length, 1);
    const close = heliograph(['holes', 'close', holes[0]?.origin ?? '', '--data', data[2]]);
    assert.equal(await close.exited, 0, close.lines.join('\n'));
    assert.ok(!(await statesOf(third)).includes('held elsewhere'));

    device.wake();
    await setMany(device, 111, 112, 'short');
    await whenSettled(device);

    const back = await start(0, await freePort(), url);
    const digest = await sameEverywhere([again, third, back], 112);
    await eventually(
      () => Promise.resolve(digestOfDevice(device)),
      (it) => it === digest,
    );
    await eventually(
      () => Promise.resolve(readFileSync(`${data[1]}/holes`, 'utf8')),
      (text) => text === '',
    );
    const { peers } = await getJson<{ peers: { stuckLanes: number }[] }>(
      `${again.httpUrl}api/v1/status`,
    );
    for (const { stuckLanes } of peers) assert.equal(stuckLanes, 0);
  });
});
