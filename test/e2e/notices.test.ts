/** What befalls an op of a device is told it, whichever way it came to the hub that the device is connected to. */
import assert from 'node:assert/strict';

import { describe, test } from 'vitest';

import type { Notice } from '../../src/client/index.ts';
import type { Device, NodeOptions } from '../../src/client/node.ts';
import { textOfOpId } from '../../src/merge/op-id.ts';
import { eventually, getJson } from '../support/hubs/api.ts';
import { digestOfHub, openDevice, whenSettled } from '../support/hubs/devices.ts';
import { type RunningHub, startHub } from '../support/hubs/hub.ts';
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
});
