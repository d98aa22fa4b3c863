/** A device that gives a record a new field with every edit is told when it is full; the record and all others go on. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { test } from 'vitest';

import { RECORD_FIELDS_MAX } from '../../src/merge/record/record-size.ts';
import { getJson } from '../support/hubs/api.ts';
import { openDevice, whenSettled } from '../support/hubs/devices.ts';
import { startHub } from '../support/hubs/hub.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const FIELDS_OF_OP = 64;

test('a record takes so many fields, and then what it has', async () => {
  const data = tempDir();
  const hub = await startHub({ data: join(data, 'hub') });
  const device = await openDevice({ url: hub.mqttUrl, dir: join(data, 'ana'), name: 'ana' });
  const record = device.record('log');
  const fields = (first: number): Record<string, number> =>
    Object.fromEntries(Array.from({ length: FIELDS_OF_OP }, (_, i) => [`at-${first + i}`, 1]));
  for (let at = 0; at < RECORD_FIELDS_MAX; at += FIELDS_OF_OP) record.set(fields(at));
  await whenSettled(device);
  await assert.rejects(Promise.resolve(record.set({ more: 1 })), /the record is full/);
  await record.set({ 'at-0': 2 });
  await device.record('other').set({ more: 1 });
  const kept = await getJson<{ fields: object }>(`${hub.httpUrl}api/v1/records/log`);
  assert.equal(Object.keys(kept.fields).length, RECORD_FIELDS_MAX);
});
