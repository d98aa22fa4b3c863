/** A journal that cannot let go of anything: what it refuses, and why it is full, is said to people as long as it lasts. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { onTestFinished, test } from 'vitest';

import { openHub } from '../../src/hub/hub.ts';
import { eventually, getJson, type StatusView } from '../support/hubs/api.ts';
import { configFor, machine } from '../support/hubs/data-dir.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const BLOB_BYTES = 900_000;
const SETS = ['broker.port=0', 'http.port=0', 'power.sources=["none"]', 'journal.keep_days=0'];

test('classes that it refuses, and the snapshot that is in the way, are faults until there is room again', async () => {
  const dir = join(tempDir(), 'data');
  const hub = await openHub(configFor(dir, ...SETS), machine);
  onTestFinished(() => hub.close());
  const inTheWay = join(dir, 'state.snapshot');
  mkdirSync(join(inTheWay, 'something'), { recursive: true });
  const status = (): Promise<StatusView> => getJson(`${hub.addresses.http}api/v1/status`);
  const faults = async (): Promise<StatusView['faults']> => (await status()).faults;
  const codes = async (): Promise<string[]> => (await faults()).map(({ code }) => code).toSorted();
  assert.deepEqual(await codes(), []);

  const client = await connectAsync(String(hub.addresses.mqtt), { reconnectPeriod: 0 });
  const closed = new Promise((resolve) => client.once('close', () => resolve('refused')));
  for (let isTaken = true; isTaken;) {
    const published = client.publishAsync('photos', Buffer.alloc(BLOB_BYTES, 7), { qos: 1 });
    published.catch(() => undefined);
    isTaken = (await Promise.race([published, closed])) !== 'refused';
  }
  const told = await eventually(codes, ({ length }) => length === 2);
  assert.deepEqual(told, ['journal.full', 'snapshot.failed']);
  const full = (await faults()).find(({ code }) => code === 'journal.full');
  assert.match(String(full?.message), /refused are .*telemetry, preview, bulk, log$/);
  const percent = Math.floor(100 * (await status()).journal.fillRatio);
  assert.match(String(full?.message), new RegExp(`^journal is ${percent} % full:`));

  rmSync(inTheWay, { recursive: true });
  await eventually(codes, ({ length }) => length === 0);
  const { fillRatio } = (await status()).journal;
  assert.ok(fillRatio < 0.5, `${fillRatio} in use, with files that wait to be used again`);
  const again = await connectAsync(String(hub.addresses.mqtt), { reconnectPeriod: 0 });
  await again.publishAsync('photos', Buffer.alloc(BLOB_BYTES, 7), { qos: 1 });
  await again.endAsync();
});
