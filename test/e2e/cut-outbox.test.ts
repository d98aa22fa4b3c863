/** A phone whose storage forgets, at a power cut, the end of what it had synced; and a folder that was copied. */
import assert from 'node:assert/strict';
import { cpSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, test } from 'vitest';

import type { Notice } from '../../src/client/index.ts';
import { connect, type Device, type NodeOptions } from '../../src/client/node.ts';
import { eventually, getJson } from '../support/hubs/api.ts';
import { digestOfDevice, digestOfHub, openDevice, whenSettled } from '../support/hubs/devices.ts';
import { type RunningHub, startHub } from '../support/hubs/hub.ts';
import { freePort } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const NOWHERE = 'mqtt://127.0.0.1:1';
let hub: RunningHub;

beforeEach(async () => {
  hub = await startHub({ data: tempDir(), mqttPort: await freePort() });
});

async function total(key: string): Promise<number | undefined> {
  const url = `${hub.httpUrl}api/v1/records/${encodeURIComponent(key)}`;
  return (await getJson<{ counters: { n?: number } }>(url)).counters.n;
}

/** Adds of a device that are in its log, and of which it has been told nothing. */
async function addOffline(
  options: NodeOptions,
  key: string,
  adds: readonly number[],
): Promise<void> {
  const device = await connect({ ...options, url: NOWHERE });
  for (const add of adds) device.counter(key, 'n').add(add);
  await device.whenKept();
  await device.close();
}

async function settled(options: NodeOptions, work: (device: Device) => unknown): Promise<Device> {
  const device = await openDevice(options);
  await work(device);
  await whenSettled(device);
  return device;
}

describe('a device whose log has lost its end', () => {
  test.each([
    ['the state is still there', ['state.cbor'], 0.3],
    ['the state is gone, too', [], 0.3],
    ['hardly anything is left', [], 0],
  ])('gives no number twice and loses nothing that it still has: %s', async (_, kept, part) => {
    const dir = tempDir();
    const key = `tanks/${part}/${kept.length}`;
    const options = { url: hub.mqttUrl, dir, name: `phone-${part * 10}-${kept.length}` };
    const first = await connect(options);
    for (let count = 0; count < 40; count++) first.counter(key, 'n').add(1);
    await whenSettled(first);
    await first.close();
    const log = join(dir, 'outbox.log');
    truncateSync(log, Math.max(120, Math.floor(statSync(log).size * part)));
    if (kept.length === 0) rmSync(join(dir, 'state.cbor'), { force: true });
    // Offline, numbers are given that the hub knows: fewer than were lost, or more.
    await addOffline(
      options,
      key,
      Array.from({ length: 60 }, () => 100),
    );
    const device = await settled(options, (opened) => opened.counter(key, 'n').add(10_000));
    assert.equal(await total(key), 40 + 60 * 100 + 10_000);
    await eventually(
      async () => (await digestOfHub(hub)).digest === digestOfDevice(device),
      (isEqual) => isEqual,
    );
    assert.equal(device.record(key).value?.counters['n'], 16_040);
    await device.close();
    assert.equal(await total(key), 16_040);
  });
});

test('a copied folder of the same name: nothing counts as kept that is not, and who comes later is told', async () => {
  const [dir, copy] = [tempDir(), tempDir()];
  const options = { url: hub.mqttUrl, name: 'twin' };
  const first = await settled({ ...options, dir }, (device) => device.record('twin').set({ a: 1 }));
  await first.close();
  cpSync(dir, copy, { recursive: true });
  const one = await settled({ ...options, dir }, (device) =>
    device.record('twin').set({ b: 'one' }),
  );
  await one.close();
  const notices: Notice[] = [];
  const other = await openDevice({ ...options, dir: copy, onNotice: (n) => void notices.push(n) });
  const { op } = await other.record('twin').set({ c: 'other' });
  const { fields } = await getJson<{ fields: object }>(`${hub.httpUrl}api/v1/records/twin`);
  assert.deepEqual(fields, { a: 1, b: 'one', c: 'other' });
  assert.equal(op.seq, 3);
  await eventually(
    () => Promise.resolve(notices),
    (told) => told.some((n) => n.kind === 'recovery' && n.state.name === 'identity clash'),
  );
});
