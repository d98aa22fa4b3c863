/** Two hubs and a region with no network between them, only a folder that is carried: nothing lost, nothing read. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { connectAsync } from 'mqtt';
import { test } from 'vitest';

import { type Digest, eventually, getJson, type StatusView } from '../support/hubs/api.ts';
import { heliograph, startHub, startRegional } from '../support/hubs/hub.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

async function json<T>(args: readonly string[]): Promise<T> {
  const run = heliograph([...args, '--json']);
  const line = await run.line(/^\{/);
  assert.equal(await run.exited, 0);
  return JSON.parse(line) as T;
}

async function publish(port: number, count: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`);
  for (let i = 0; i < count; i++) {
    await client.publishAsync(`meters/${i % 3}`, `{"secret":${i}}`, { qos: 1 });
  }
  await client.endAsync();
}

const waiting = async (url: string): Promise<number> => {
  const { backlog } = await getJson<StatusView>(`${url}api/v1/status`);
  return backlog['telemetry']?.ops ?? -1;
};

test('by stick through another hub to the region, and the receipts the same way back', async () => {
  const [regionData, firstData, secondData, stick] = [tempDir(), tempDir(), tempDir(), tempDir()];
  const { publicKey } = await json<{ publicKey: string }>(['operator-key', `${regionData}/op.pem`]);
  const key = `regional.operator_key_file=${regionData}/op.pem`;
  const region = await startRegional({ data: regionData, sets: [key] });
  // An uplink that leads nowhere: without one nothing waits for receipts.
  const sets = ['uplink.url=mqtt://127.0.0.1:9', `uplink.operator_key=${publicKey}`];
  const first = await startHub({ data: firstData, sets });
  const second = await startHub({ data: secondData, sets });
  await publish(first.mqttPort, 160);
  await publish(second.mqttPort, 40);
  await eventually(
    () => waiting(first.httpUrl),
    (ops) => ops === 160,
  );

  const out = await json<{ files: string[]; isEncrypted: boolean }>([
    'bundle',
    'export',
    `${stick}/a`,
    '--split',
    '0.001',
    '--url',
    first.httpUrl,
  ]);
  assert.ok(out.files.length > 1 && out.isEncrypted);
  const onStick = (): string =>
    readdirSync(stick)
      .map((name) => readFileSync(`${stick}/${name}`, 'latin1'))
      .join('');
  assert.ok(!onStick().includes('secret'));
  assert.equal(await waiting(first.httpUrl), 160, 'handed out is not delivered');

  const [torn = ''] = out.files;
  const whole = readFileSync(torn);
  truncateSync(torn, whole.length - 5);
  const pulled = heliograph(['bundle', 'import', torn, '--url', second.httpUrl]);
  assert.equal(await pulled.exited, 1, 'a stick that was pulled');
  writeFileSync(torn, whole);

  const carried = await json<{ foreign: number }>([
    'bundle',
    'import',
    torn,
    '--url',
    second.httpUrl,
  ]);
  assert.ok(carried.foreign > 0);
  const both = await json<{ files: string[] }>([
    'bundle',
    'export',
    `${stick}/b`,
    '--url',
    second.httpUrl,
  ]);
  const [file = ''] = both.files;
  let receipts = '';
  for (const round of ['first', 'again']) {
    const at = await json<{ stored: number; passedOver: number; receipts: string[] }>([
      'bundle',
      'import',
      file,
      '--regional',
      '--data',
      regionData,
    ]);
    assert.ok(at.stored >= 2 && at.passedOver === 0, round);
    receipts = at.receipts[0] ?? '';
  }
  const met = await json<{ receipts: number; foreign: number }>([
    'bundle',
    'import',
    receipts,
    '--url',
    second.httpUrl,
  ]);
  assert.ok(met.receipts > 0 && met.foreign > 0, 'its own, and those of the other');
  const back = ['bundle', 'export', '--to', stick, '--url', second.httpUrl];
  const [way = ''] = (await json<{ files: string[] }>(back)).files;
  const log = await (await fetch(`${second.httpUrl}api/v1/log`)).text();
  const name = way.slice(stick.length + 1, -'.bundle'.length);
  assert.ok(log.includes(`handed to ${name};`), 'the log names the files, not the folder');
  await json(['bundle', 'import', way, '--url', first.httpUrl]);
  for (const { httpUrl } of [first, second]) {
    await eventually(
      () => waiting(httpUrl),
      (ops) => ops === 0,
    );
  }
  const digest = await getJson<Digest>(`${region.httpUrl}api/v1/digest?site=demo`);
  assert.equal(digest.ops, 200);
});
