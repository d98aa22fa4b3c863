/** Sync by stick whose commands are killed at many moments of their run: done again, each comes to the same as if it had not been. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import { connectAsync } from 'mqtt';
import { test } from 'vitest';

import { type Digest, eventually, getJson, type StatusView } from '../support/hubs/api.ts';
import { heliograph, startHub, startRegional } from '../support/hubs/hub.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const OPS = 600;
const KILLS = 4;

const waiting = async (url: string): Promise<number> => {
  const { backlog } = await getJson<StatusView>(`${url}api/v1/status`);
  return backlog['telemetry']?.ops ?? -1;
};

async function publish(port: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 });
  for (let i = 0; i < OPS; i++) await client.publishAsync(`m/${i % 3}`, `{"w":${i}}`, { qos: 1 });
  await client.endAsync();
}

/** Runs it once to the end, then kills it `KILLS` times on the way there, then once more to the end. */
async function killed(args: readonly string[]): Promise<void> {
  const beganMs = performance.now();
  assert.equal(await heliograph(args).exited, 0, args.join(' '));
  const tookMs = performance.now() - beganMs;
  for (let kill = 1; kill <= KILLS; kill++) {
    const run = heliograph(args);
    await pause((tookMs * kill) / (KILLS + 1));
    run.kill('SIGKILL');
    await run.exited;
  }
  assert.equal(await heliograph(args).exited, 0, `${args.join(' ')}, after it was killed`);
}

test('export, import at the region and import of the receipts, each killed four times', async () => {
  const [regionData, hubData, stick] = [tempDir(), tempDir(), tempDir()];
  const region = await startRegional({ data: regionData });
  const hub = await startHub({ data: hubData, sets: ['uplink.url=mqtt://127.0.0.1:9'] });
  await publish(hub.mqttPort);
  await eventually(
    () => waiting(hub.httpUrl),
    (ops) => ops === OPS,
  );
  const at = ['--url', hub.httpUrl];
  await killed(['bundle', 'export', `${stick}/out`, ...at]);
  assert.equal(await waiting(hub.httpUrl), OPS, 'handed out is not delivered');
  await killed(['bundle', 'import', `${stick}/out.bundle`, '--regional', '--data', regionData]);
  await killed(['bundle', 'import', `${stick}/out-receipts.bundle`, ...at]);
  await eventually(
    () => waiting(hub.httpUrl),
    (ops) => ops === 0,
  );
  const digests = [hub.httpUrl, region.httpUrl].map((url) =>
    getJson<Digest>(`${url}api/v1/digest?site=demo`),
  );
  const [ours, theirs] = await Promise.all(digests);
  assert.equal(theirs?.digest, ours?.digest);
  assert.equal(theirs?.ops, OPS);
});
