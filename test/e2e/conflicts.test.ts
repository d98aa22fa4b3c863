/** Two phones that were apart all week: hundreds of conflicts, which somebody looks through by key and resolves at once, from a shell. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { test } from 'vitest';

import type { Device } from '../../src/client/node.ts';
import { openDevice, whenSettled } from '../support/hubs/devices.ts';
import { heliograph, startHub } from '../support/hubs/hub.ts';
import { freePort } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const ORDERS = 100;

async function write(device: Device, state: string): Promise<void> {
  for (let i = 0; i < ORDERS; i++) {
    // Nobody waits for the hub; nothing is there yet.
    void device.record(`orders/${i}`).set({ state, note: `${state} by ${device.status.name}` });
  }
  void device.record('pumps/1').set({ state });
  await device.whenKept();
}

test('many conflicts are listed by key, and resolved at once', async () => {
  const data = tempDir();
  const mqttPort = await freePort();
  const url = `mqtt://127.0.0.1:${mqttPort}`;
  const lena = await openDevice({ url, dir: join(data, 'lena'), name: 'lena' });
  const kamau = await openDevice({ url, dir: join(data, 'kamau'), name: 'kamau' });
  await write(lena, 'open');
  await write(kamau, 'done');
  const hub = await startHub({ data: join(data, 'hub'), mqttPort });
  for (const device of [lena, kamau]) {
    device.wake();
    await whenSettled(device);
  }
  const run = async (...args: string[]): Promise<{ code: number | null; text: string }> => {
    const process = heliograph(['conflicts', ...args, '--url', hub.httpUrl]);
    const code = await process.exited;
    return { code, text: process.lines.join('\n') };
  };

  const one = await run('list', 'orders/17');
  assert.match(one.text, new RegExp(`^${2 * ORDERS + 1} conflicts open`));
  assert.equal(one.text.match(/^orders\/17 /gm)?.length, 2);
  assert.equal(one.text.match(/^\w+\/\d+ /gm)?.length, 2);
  const some = await run('list', 'orders/1*');
  assert.equal(some.text.match(/^orders\/1\d* .*concurrent$/gm)?.length, 2 * 11);

  const lost = await run('resolve', 'orders/1*', 'state', '--take', 'lost');
  assert.equal(lost.code, 0, lost.text);
  assert.match(lost.text, /^orders\/17 state is open now {2}\w+\/2\/\d+$/m);
  assert.match(lost.text, /^11 conflicts resolved$/m);
  const stands = await run('resolve', 'orders/*', '--take', 'stands');
  assert.match(stands.text, new RegExp(`^${2 * ORDERS - 11} conflicts resolved$`, 'm'));
  const left = await run('list', '*');
  assert.match(left.text, /^1 conflict open.*\npumps\/1 {2}state/);

  await whenSettled(lena);
  assert.deepEqual(
    ['orders/17', 'orders/2'].map((key) => lena.record(key).value?.fields['state']),
    ['open', 'done'],
  );
  for (const mistake of [
    ['resolve', 'orders/*'],
    ['resolve', 'orders/*', '--take', 'mine'],
    ['resolve', 'orders/1', 'state', '"x"', '--take', 'lost'],
  ]) {
    assert.equal((await run(...mistake)).code, 2, mistake.join(' '));
  }
  assert.equal((await run('resolve', 'pumps/1', 'state', '"gone"')).code, 0);
});
