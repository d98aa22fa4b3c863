/** What a hub says of itself is of this moment: an acknowledged op waits, from then on, until the region has proven that it has it. */
import assert from 'node:assert/strict';

import { connectAsync } from 'mqtt';
import { test } from 'vitest';

import { eventually, getJson, type StatusView } from '../support/hubs/api.ts';
import { startHub, startRegional } from '../support/hubs/hub.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface View extends StatusView {
  readonly sync: { readonly state: string };
}

test('what was acknowledged waits at once, and in sync is said of what is receipted alone', async () => {
  const region = await startRegional({ data: tempDir() });
  const data = tempDir();
  const sets = [`uplink.url=${region.mqttUrl}`, 'uplink.link=ethernet'];
  const hub = await startHub({ data, sets });
  const statusOf = (): Promise<View> => getJson<View>(`${hub.httpUrl}api/v1/status`);
  const client = await connectAsync(`mqtt://127.0.0.1:${hub.mqttPort}`);
  // The sync log has something to wait with from here on.
  await client.publishAsync('meters/1', '0', { qos: 1 });
  await eventually(statusOf, ({ backlog }) => (backlog['log']?.ops ?? 0) > 0);
  await region.process.stop();
  const { backlog } = await statusOf();
  const before = backlog['telemetry']?.ops ?? 0;
  for (let count = 1; count <= 20; count++) {
    await client.publishAsync('meters/1', String(count), { qos: 1 });
    const now = await statusOf();
    const ops = now.backlog['telemetry']?.ops ?? 0;
    // A receipt from before the region ended may still have been on its way.
    assert.ok(ops >= count && ops <= before + count, `${ops} of ${before} and ${count}`);
    assert.notEqual(now.sync.state, 'in sync');
    assert.ok(now.journal.receiptedLsn < now.journal.durableLsn);
  }
  await client.endAsync();
});
