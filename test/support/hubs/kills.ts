/** Promise 1 of the hub, against the real program: a loop of starts, load and SIGKILL on one data directory. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import { startHub, startRegional } from './hub.ts';
import { assertNothingLost, assertSameUpstream } from './nothing-lost.ts';
import { Publisher } from './publisher.ts';
import { freePort } from '../machine/spawn.ts';
import { tempDir } from '../machine/temp-dir.ts';

const CLIENTS = 4;
const WINDOW = 10;
const ACKNOWLEDGED_MIN = 50;

/** Fails where a message that was acknowledged before any of the kills is missing, here or upstream. */
export async function killsUnderLoad(kills: number): Promise<void> {
  const data = tempDir();
  const mqttPort = await freePort();
  const region = await startRegional({ data });
  const sets = [
    `uplink.url=${region.mqttUrl}`,
    'capture=[{filter="#",class="alarm"}]',
    'journal.segment_mib=1',
  ];
  const publisher = new Publisher();
  for (let round = 0; round < kills; round++) {
    const hub = await startHub({ data, sets, mqttPort });
    const before = publisher.acknowledged.length;
    await publisher.start(mqttPort, CLIENTS, WINDOW);
    while (publisher.acknowledged.length < before + ACKNOWLEDGED_MIN) await pause(5);
    await pause((round * 37) % 200); // Another moment each time.
    hub.process.kill('SIGKILL');
    await hub.process.exited;
    publisher.stop();
  }
  const hub = await startHub({ data, sets, mqttPort });
  await assertSameUpstream(hub, region, 120_000 + kills * 1_000);
  await assertNothingLost(hub, publisher);
  assert.ok(publisher.acknowledged.length >= kills * ACKNOWLEDGED_MIN);
}
