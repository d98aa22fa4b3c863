/** Orders from the region to the records of two hubs, by the commands that people type; encrypted on the way up. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { type Digest, eventually, getJson, uplinked } from '../support/hubs/api.ts';
import { heliograph, startHub, startRegional } from '../support/hubs/hub.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Sent {
  readonly op: string;
  readonly has: readonly string[];
  readonly waits: readonly string[];
}

async function json<T>(args: readonly string[]): Promise<T> {
  const run = heliograph([...args, '--json']);
  const line = await run.line(/^\{/);
  assert.equal(await run.exited, 0);
  return JSON.parse(line) as T;
}

test('an order reaches every hub of the site once, and all three have the same state', async () => {
  const [regionData, firstData, secondData] = [tempDir(), tempDir(), tempDir()];
  const { publicKey } = await json<{ publicKey: string }>(['operator-key', `${regionData}/op.pem`]);
  const region = await startRegional({
    data: regionData,
    sets: [`regional.operator_key_file=${regionData}/op.pem`],
  });
  const sets = [`uplink.url=${region.mqttUrl}`, `uplink.operator_key=${publicKey}`];
  const hubs = await Promise.all([firstData, secondData].map((data) => startHub({ data, sets })));
  for (const { mqttPort, httpUrl } of hubs) {
    const { connectAsync } = await import('mqtt');
    const client = await connectAsync(`mqtt://127.0.0.1:${mqttPort}`);
    await client.publishAsync('meters/1', '{"w":1}', { qos: 1 });
    await client.endAsync();
    await heliograph(['override', '--for', '10m', '--url', httpUrl]).exited;
    await uplinked(httpUrl);
  }
  const to = ['--site', 'demo', '--data', regionData, '--wait', '60s'];
  const order = ['regional', 'send', ...to, '--key', 'order/17', '--field', 'state=open'];
  const sending = json<Sent>(order);
  const atRegion = (): Promise<Digest> => getJson(`${region.httpUrl}api/v1/digest?site=demo`);
  await eventually(atRegion, ({ records }) => records === 1);
  // Something to send opens a session; without it the hubs would ask within the hour.
  for (const { mqttPort } of hubs) {
    const { connectAsync } = await import('mqtt');
    const client = await connectAsync(`mqtt://127.0.0.1:${mqttPort}`);
    await client.publishAsync('meters/1', '{"w":2}', { qos: 1 });
    await client.endAsync();
  }
  const sent = await sending;
  assert.equal(sent.has.length, 2);
  for (const { httpUrl } of hubs) {
    const record = await eventually(
      async () => (await fetch(`${httpUrl}api/v1/records/order%2F17`)).json() as Promise<object>,
      (answer) => 'fields' in answer,
    );
    assert.deepEqual((record as { fields: unknown }).fields, { state: 'open' });
    await uplinked(httpUrl);
  }
  assert.equal((await atRegion()).records, 1);
  const audited = async (): Promise<string> => {
    const audit = heliograph(['audit', '--regional', '--json', '--data', regionData]);
    await audit.exited;
    return audit.lines.join('\n');
  };
  const log = await eventually(audited, (text) => text.includes('"receipted"'));
  assert.match(log, /"event":"received".*"site":"demo","hub":"[0-9a-f]{16}"/);
  for (const { process } of hubs) await process.stop();
  // Who waits in vain is told for whom, and what that hangs on; a hub that nobody knows has nothing either.
  for (const meant of [[], ['--hub', 'f'.repeat(16)]]) {
    const soon = order.map((word) => (word === '60s' ? '1s' : word));
    const vain = heliograph([...soon, ...meant]);
    assert.equal(await vain.exited, 1, meant.join(' '));
    const named = meant[1] ?? sent.has.toSorted().join(', ');
    assert.match(
      vain.lines.join('\n'),
      new RegExp(`^Not yet: ${named}\\. .*check_in_minutes`, 'm'),
    );
  }
});

test('an override of the region shows on the hub, and outlives its restart', async () => {
  const [regionData, data] = [tempDir(), tempDir()];
  const region = await startRegional({ data: regionData });
  const sets = [`uplink.url=${region.mqttUrl}`, 'capture=[{filter="#",class="alarm"}]'];
  const first = await startHub({ data, sets });
  const { connectAsync } = await import('mqtt');
  const client = await connectAsync(`mqtt://127.0.0.1:${first.mqttPort}`);
  await client.publishAsync('a', '1', { qos: 1 });
  await uplinked(first.httpUrl);
  const to = ['--site', 'demo', '--data', regionData, '--wait', '60s'];
  const sending = json<Sent>(['regional', 'override', ...to, '--for', '30m']);
  // Woken before the region has the order, the hub would ask again within the hour.
  await eventually(
    () => getJson<Digest>(`${region.httpUrl}api/v1/digest?site=demo`),
    ({ records }) => records === 1,
  );
  await client.publishAsync('a', '2', { qos: 1 });
  assert.equal((await sending).has.length, 1);
  await client.endAsync();
  const overrideOf = async (url: string): Promise<{ who: string } | null> => {
    const status = await getJson<{ power: { override: { who: string } | null } }>(
      `${url}api/v1/status`,
    );
    return status.power.override;
  };
  const shown = await eventually(
    () => overrideOf(first.httpUrl),
    (it) => it !== null,
  );
  assert.equal(shown?.who, 'the region');
  await first.process.stop();
  const second = await startHub({ data, sets });
  await eventually(
    () => overrideOf(second.httpUrl),
    (it) => it !== null,
  );
});
