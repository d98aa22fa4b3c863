/**
 * A site whose battery says nothing sends alarms and keeps photos waiting, until the journal is nearly full. With
 * `on_full = "drop-bulk"` the oldest photos go, counted and told; alarms are all there, and the region takes what comes after.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { onTestFinished, test } from 'vitest';

import { openHub } from '../../src/hub/hub.ts';
import { openRegion } from '../../src/region/region.ts';
import {
  type Digest,
  eventually,
  getJson,
  type StatusView,
  uplinked,
} from '../support/hubs/api.ts';
import { configFor, machine } from '../support/hubs/data-dir.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const BLOB_BYTES = 900_000;
const BLOBS = 7;
const FREE = ['broker.port=0', 'http.port=0', 'regional.http_port=0', 'regional.port=0'];

interface View extends StatusView {
  readonly journal: StatusView['journal'] & { readonly dropped: Digest & { bytes: number } };
}

test('the oldest bulk goes, counted and told; everything else stays', async () => {
  const dir = tempDir();
  const region = await openRegion(configFor(join(dir, 'region'), ...FREE), machine);
  onTestFinished(() => region.close());
  const open = (): ReturnType<typeof openHub> =>
    openHub(
      configFor(
        join(dir, 'data'),
        ...FREE,
        `uplink.url=${region.addresses.mqtt}`,
        'journal.on_full=drop-bulk',
        'power.sources=mqtt:battery#soc',
        'capture=[{filter="photos/#",class="bulk"},{filter="#",class="alarm"}]',
      ),
      machine,
    );
  let hub = await open();
  onTestFinished(() => hub.close());
  const status = (): Promise<View> => getJson<View>(`${hub.addresses.http}api/v1/status`);

  const client = await connectAsync(String(hub.addresses.mqtt), { reconnectPeriod: 0 });
  for (let n = 0; n < BLOBS; n++) {
    await client.publishAsync('photos/1', Buffer.alloc(BLOB_BYTES, n), { qos: 1 });
    await client.publishAsync('alarms/1', String(n), { qos: 1 });
  }
  const told = await eventually(status, ({ journal }) => journal.dropped.ops > 0);
  assert.ok(told.faults.some(({ code }) => code === 'journal.bulk-dropped'));
  const { dropped } = told.journal;
  assert.ok(dropped.ops < BLOBS && dropped.bytes > dropped.ops * BLOB_BYTES);
  const log = await (await fetch(`${hub.addresses.http}api/v1/log`)).text();
  assert.match(log, /"event":"shed","ops":\d+,.*as journal\.on_full says/);

  // Somebody comes on site; what still waits goes.
  const headers = { 'content-type': 'application/json' };
  const override = { method: 'POST', headers, body: JSON.stringify({ minutes: 10 }) };
  const answer = await fetch(`${hub.addresses.http}api/v1/override`, override);
  assert.equal(answer.status, 200);
  await uplinked(String(hub.addresses.http));
  const here = await getJson<Digest>(`${hub.addresses.http}api/v1/digest`);
  const there = await getJson<Digest>(`${region.addresses.http}api/v1/digest?site=demo`);
  assert.equal(here.ops, 2 * BLOBS);
  assert.equal(there.ops, 2 * BLOBS - dropped.ops);

  const cosigned = async (): Promise<string> =>
    (await fetch(`${hub.addresses.http}log/bulk/cosigned`)).text();
  await eventually(cosigned, (note) => note.split('\n')[1] === String(BLOBS));

  await client.endAsync();
  await hub.close();
  hub = await open();
  assert.deepEqual((await status()).journal.dropped, dropped);
});
