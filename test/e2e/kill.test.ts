/**
 * Promise 1 of the hub, against the real program: SIGKILL under load, twenty times, on one data directory.
 * Everything that a client saw acknowledged is there afterwards, and upstream.
 *
 * What this cannot show: a kill leaves the kernel's page cache intact, so it proves the order of writes and
 * acknowledgements in the process, not the card. Power cuts are simulated in test/fault/.
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'vitest';

import { type Digest, getJson, readingsOf, uplinked } from '../support/api.ts';
import { startHub, startRegional } from '../support/hub.ts';
import { Publisher } from '../support/publisher.ts';
import { freePort } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';

const KILLS = 20;
const CLIENTS = 4;
const WINDOW = 10;

test('SIGKILL under load, twenty times: every acknowledged message is there, and upstream', async () => {
  const data = tempDir();
  const mqttPort = await freePort();
  const region = await startRegional({ data });
  const sets = [
    `uplink.url=${region.mqttUrl}`,
    'capture=[{filter="#",class="alarm"}]',
    'journal.segment_mib=1',
  ];
  const publisher = new Publisher();
  for (let round = 0; round < KILLS; round++) {
    const hub = await startHub({ data, sets, mqttPort });
    const before = publisher.acknowledged.length;
    await publisher.start(mqttPort, CLIENTS, WINDOW);
    while (publisher.acknowledged.length < before + 50) await pause(5);
    await pause((round * 37) % 200); // Another moment each time.
    hub.process.kill('SIGKILL');
    await hub.process.exited;
    publisher.stop();
  }
  const hub = await startHub({ data, sets, mqttPort });
  await uplinked(hub.httpUrl, 45_000);
  const here = await getJson<Digest>(`${hub.httpUrl}api/v1/digest`);
  const there = await getJson<Digest>(`${region.httpUrl}api/v1/digest?site=demo`);
  assert.deepEqual(there, here);
  for (let index = 0; index < CLIENTS; index++) {
    const topic = `load/${index}`;
    const kept = await readingsOf(hub.httpUrl, topic);
    const acknowledged = publisher.acknowledged.filter((message) => message.topic === topic);
    const lost = acknowledged.filter(({ payload }) => !kept.has(payload));
    assert.deepEqual(lost, [], `${lost.length} of ${acknowledged.length} acknowledged are lost`);
  }
  assert.ok(publisher.acknowledged.length >= KILLS * 50);
}, 180_000);
