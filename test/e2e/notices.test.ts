/** What befalls an op of a device is told it, whichever way it came to the hub that the device is connected to. */
import assert from 'node:assert/strict';

import { connectAsync } from 'mqtt';
import { describe, test } from 'vitest';

import type { Notice } from '../../src/client/index.ts';
import type { Device, NodeOptions } from '../../src/client/node.ts';
import { textOfOpId } from '../../src/merge/op-id.ts';
import { eventually, getJson, uplinked } from '../support/hubs/api.ts';
import { digestOfHub, type HubDigest, openDevice, whenSettled } from '../support/hubs/devices.ts';
import { heliograph, type RunningHub, startHub, startRegional } from '../support/hubs/hub.ts';
import { freePort } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Listener {
  readonly device: Device;
  /** Resolves to the first notice of this kind that names the record, which is taken out. */
  notice(kind: Notice['kind'], key: string): Promise<Notice>;
  readonly notices: Notice[];
}

async function listen(options: Omit<NodeOptions, 'onNotice'>): Promise<Listener> {
  const notices: Notice[] = [];
  const device = await openDevice({ ...options, onNotice: (notice) => void notices.push(notice) });
  const at = (kind: Notice['kind'], key: string): number =>
    notices.findIndex((notice) => notice.kind === kind && keysOf(notice).includes(key));
  return {
    device,
    notices,
    notice: async (kind, key) => {
      const found = await eventually(
        () => Promise.resolve(at(kind, key)),
        (place) => place >= 0,
      );
      return notices.splice(found, 1)[0] as Notice;
    },
  };
}

function keysOf(notice: Notice): readonly string[] {
  if (notice.kind === 'conflict') return notice.conflicts.map(({ key }) => key);
  return notice.kind === 'undo' ? notice.undone.map(({ key }) => key) : [];
}

async function undo(hub: RunningHub, op: string): Promise<void> {
  const answer = await fetch(`${hub.httpUrl}api/v1/undo`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ op }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

/** Waits until both hubs hold the same. */
async function level(...hubs: readonly RunningHub[]): Promise<void> {
  await eventually(
    () => Promise.all(hubs.map((hub) => digestOfHub(hub))),
    (digests) => new Set(digests.map(({ digest }) => digest)).size === 1,
    60_000,
  );
}

/** What waits opens a session, in which the region sends what it has; it is over when there are receipts for all. */
async function openSession({ mqttUrl, httpUrl }: RunningHub, payload: string): Promise<void> {
  const client = await connectAsync(mqttUrl);
  await client.publishAsync('meters/1', payload, { qos: 1 });
  await client.endAsync();
  assert.equal(await heliograph(['override', '--for', '10m', '--url', httpUrl]).exited, 0);
  await uplinked(httpUrl);
}

describe('a device is told', () => {
  test('of conflicts and undos that were made at its hub by people, and at another hub', async () => {
    const [portA, portB] = [await freePort(), await freePort()];
    const data = tempDir();
    const a = await startHub({ data: `${data}/a`, mqttPort: portA, sets: ['peer.enabled=true'] });
    const lena = await listen({ url: a.mqttUrl, dir: `${data}/lena`, name: 'lena' });
    const url = `mqtt://127.0.0.1:${portB}`;
    const kamau = await listen({ url, dir: `${data}/kamau`, name: 'kamau' });
    // Neither has heard of the other's.
    const his = kamau.device.record('orders/1').set({ state: 'waiting' });
    const hers = lena.device.record('orders/1').set({ state: 'done' });
    const [, other] = [await hers, await lena.device.record('orders/2').set({ state: 'open' })];
    const sets = ['peer.enabled=true', `peer.addresses=["${a.mqttUrl}"]`];
    const b = await startHub({ data: `${data}/b`, mqttPort: portB, sets });
    kamau.device.wake();
    await his;
    await lena.notice('conflict', 'orders/1');

    await whenSettled(lena.device);
    await level(a, b);
    await undo(a, hers.id);
    await lena.notice('undo', 'orders/1');
    await undo(b, textOfOpId(other.op));
    await lena.notice('undo', 'orders/2');
    assert.deepEqual(
      lena.notices.filter(({ kind }) => kind === 'undo'),
      [],
      'each once',
    );
    await undo(a, his.id);
    await kamau.notice('undo', 'orders/1');
    const { open } = await getJson<{ open: number }>(`${a.httpUrl}api/v1/conflicts`);
    assert.equal(open, 0);
  });

  test('of conflicts and undos that come by way of the region', async () => {
    const [port, data] = [await freePort(), tempDir()];
    const region = await startRegional({ data: `${data}/region` });
    const sets = [`uplink.url=${region.mqttUrl}`, 'peer.enabled=false'];
    const office = await startHub({ data: `${data}/office`, sets });
    await openSession(office, '1');
    const order = ['--site', 'demo', '--data', `${data}/region`, '--wait', '1s'];
    const field = ['--key', 'orders/1', '--field', 'state=waiting'];
    await heliograph(['regional', 'send', ...order, ...field]).exited;
    await eventually(
      () => getJson<HubDigest>(`${region.httpUrl}api/v1/digest?site=demo`),
      ({ records }) => records === 1,
    );
    // Her hub is not up yet: she has not heard of the order, nor the region of what she says.
    const url = `mqtt://127.0.0.1:${port}`;
    const lena = await listen({ url, dir: `${data}/lena`, name: 'lena' });
    const hers = lena.device.record('orders/1').set({ state: 'done' });
    const other = lena.device.record('orders/2').set({ state: 'open' });
    const hub = await startHub({ data: `${data}/hub`, mqttPort: port, sets });
    lena.device.wake();
    await Promise.all([hers, other]);
    await openSession(hub, '2');
    const told = await lena.notice('conflict', 'orders/1');
    assert.ok(told.kind === 'conflict');
    assert.deepEqual(
      told.conflicts.map(({ winner, loser }) => [
        textOfOpId(winner) === hers.id,
        textOfOpId(loser),
      ]),
      [[false, hers.id]],
    );

    await openSession(office, '3');
    await eventually(
      async () => (await fetch(`${office.httpUrl}api/v1/records/orders%2F2`)).status,
      (status) => status === 200,
    );
    await undo(office, other.id);
    await openSession(office, '4');
    await openSession(hub, '5');
    await lena.notice('undo', 'orders/2');
    assert.deepEqual(lena.notices, [], 'each once');
  });
});
