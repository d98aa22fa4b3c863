/** A note that two teams filled to its limit, each at a hub of its own, before the hubs met: everybody gets all of it, and can make it shorter. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { test } from 'vitest';
import * as Y from 'yjs';

import type { Device } from '../../src/client/node.ts';
import { eventually } from '../support/hubs/api.ts';
import { digestOfDevice, digestOfHub, openDevice, whenSettled } from '../support/hubs/devices.ts';
import { type RunningHub, startHub } from '../support/hubs/hub.ts';
import { freePort } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const KEY = 'notes/17';
const PIECES = 10;
const PIECE_BYTES = 100_000;

function textOf(device: Device): Y.Text {
  return device.doc(KEY, Y).getText('notes');
}

async function fill(device: Device, letter: string): Promise<void> {
  const text = textOf(device);
  for (let i = 0; i < PIECES; i++) {
    text.insert(text.length, letter.repeat(PIECE_BYTES));
    await device.whenKept();
    await whenSettled(device);
  }
}

async function alike(hubs: readonly RunningHub[], device: Device): Promise<void> {
  await eventually(
    async () => [...(await Promise.all(hubs.map(digestOfHub))), { digest: digestOfDevice(device) }],
    (all) => all.every(({ digest }) => digest === all[0]?.digest),
  );
}

test('a document that is full twice over is heard by all, and made shorter by one', async () => {
  const data = tempDir();
  const port = await freePort();
  const peers = (...addresses: string[]): string[] => [
    'peer.enabled=true',
    `peer.addresses=${JSON.stringify(addresses)}`,
  ];
  const first = await startHub({ data: join(data, 'a'), mqttPort: port, sets: peers() });
  const ana = await openDevice({ url: first.mqttUrl, dir: join(data, 'ana'), name: 'ana' });
  await fill(ana, 'a');
  const alone = await startHub({ data: join(data, 'b') });
  const ben = await openDevice({ url: alone.mqttUrl, dir: join(data, 'ben'), name: 'ben' });
  await fill(ben, 'b');
  await ben.close();
  await alone.process.stop();

  const sets = peers(`mqtt://127.0.0.1:${port}`);
  const second = await startHub({ data: join(data, 'b'), sets });
  await alike([first, second], ana);

  const troubles: string[] = [];
  const cleo = await openDevice({
    url: second.mqttUrl,
    dir: join(data, 'cleo'),
    name: 'cleo',
    onTrouble: ({ message }) => troubles.push(message),
  });
  await whenSettled(cleo);
  const text = textOf(cleo);
  assert.equal(text.length, 2 * PIECES * PIECE_BYTES);
  text.insert(0, 'more');
  await eventually(
    () => Promise.resolve(troubles),
    ([trouble]) => trouble !== undefined && /makes it shorter is taken/.test(trouble),
  );
  text.delete(4, 1_900_000);
  await cleo.whenKept();
  await whenSettled(cleo);
  text.insert(4, ' and more');
  await cleo.whenKept();
  await whenSettled(cleo);
  await alike([first, second], ana);
  assert.equal(textOf(ana).length, 100_000 + 'more and more'.length);
});
