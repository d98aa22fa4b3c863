/**
 * A real hub behind a thin link that dies every 3 seconds and comes back a second later, in network namespaces: 2 MB that do not
 * compress go upstream at 64 KB a second, so that nothing larger than a tenth of them ever fits into one life of the link.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { HubInNamespace } from '../support/hubs/hub-in-namespace.ts';
import { startHub, startRegional } from '../support/hubs/hub.ts';
import {
  makeNamespaces,
  REGION_ADDRESS,
  ROUTER_ADDRESS,
  testInNamespaces,
} from '../support/machine/netns.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const PORT = 2883;
const PUBLISHES = 20;
const PUBLISH_BYTES = 100_000;
const SENT = '/sys/class/net/uplink0/statistics/tx_bytes';
const RATE = ['rate', '512kbit', 'burst', '16kb', 'latency', '200ms'];
const ALIVE_MS = 3_000;
const DEAD_MS = 1_000;
const LIVES_MAX = 60;

async function story(): Promise<void> {
  const spaces = makeNamespaces();
  const [hubData, regionData] = [tempDir(), tempDir()];
  await startRegional({
    data: regionData,
    mqttPort: PORT,
    sets: [`regional.host=${REGION_ADDRESS}`, 'security.allow_open_lan=true'],
    under: spaces.region,
  });
  const hub = await startHub({
    data: hubData,
    sets: [`uplink.url=mqtt://${REGION_ADDRESS}:${PORT}`, 'uplink.connect_timeout_s=3'],
    under: spaces.hub,
  });
  const person = new HubInNamespace(spaces, hubData, hub.mqttPort);
  const file = `${hubData}/payload`;
  for (let count = 0; count < PUBLISHES; count++) {
    writeFileSync(file, randomBytes(PUBLISH_BYTES));
    await person.publish(`cameras/${count}`, '-f', file);
  }
  spaces.slow(...RATE);
  let lives = 0;
  let waiting = PUBLISHES;
  while (waiting > 0 && lives < LIVES_MAX) {
    lives += 1;
    spaces.ip('link', 'set', 'uplink0', 'up');
    spaces.ip('route', 'replace', 'default', 'via', ROUTER_ADDRESS);
    await sleep(ALIVE_MS);
    waiting = (await person.status()).backlog.telemetry.ops;
    spaces.ip('link', 'set', 'uplink0', 'down');
    await sleep(DEAD_MS);
  }
  const { uplink } = await person.status();
  const [command = '', ...inside] = spaces.hub;
  const counted = execFileSync(command, [...inside, 'cat', SENT]).toString();
  console.log(`${lives} lives of the link, ${Number(counted)} bytes of frames`, uplink.byLink);
  assert.equal(waiting, 0, `${waiting} publishes did not get through`);
  assert.ok(
    lives >= (PUBLISHES * PUBLISH_BYTES) / 64_000 / 3,
    'the link was as thin as it should be',
  );
}

testInNamespaces('a link that dies every 3 seconds brings everything home', story);
