/**
 * A real hub with two links, in network namespaces: the better one dies in the middle of a batch, and the other one carries
 * what is missing of it; when the better one is back, what comes next takes that again.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';

import { onTestFinished } from 'vitest';

import type { StatusSnapshot } from '../../src/status/snapshot.ts';
import { HubInNamespace } from '../support/hubs/hub-in-namespace.ts';
import { startHub, startRegional } from '../support/hubs/hub.ts';
import {
  HUB_ADDRESS,
  makeNamespaces,
  OTHER_ROUTER_ADDRESS,
  REGION_ADDRESS,
  ROUTER_ADDRESS,
  testInNamespaces,
} from '../support/machine/netns.ts';
import { spawnProcess } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const BROKER_PORT = 2883;
/** Where the slow way to the broker begins. */
const PORT = 2884;
const MESSAGES = 30;
/** Of each message, when it is packed as well as it can be. */
const MESSAGE_BYTES = 15_000;
const WHOLE_BYTES = MESSAGES * MESSAGE_BYTES;

/**
 * From the first cable half of it gets through, and no more until a signal comes: so there is a middle, however fast or slow
 * all else is.
 */
const SLOW_WAY = `const net = require('node:net');
let left = ${WHOLE_BYTES / 2};
process.on('SIGUSR2', () => { left = Infinity; });
net.createServer((near) => {
  const far = net.connect(${BROKER_PORT}, '${REGION_ADDRESS}');
  for (const socket of [near, far]) socket.on('error', () => {});
  const isFirst = near.remoteAddress === '${HUB_ADDRESS}';
  near.on('data', (bytes) => {
    if (isFirst) left -= bytes.length;
    if (isFirst && left < 0) {
      near.pause();
      far.write('', () => console.log('half'));
    } else far.write(bytes);
  });
  far.on('data', (bytes) => near.write(bytes));
  far.on('close', () => near.destroy());
  near.on('close', () => far.destroy());
}).listen(${PORT}, '${REGION_ADDRESS}', () => console.log('slow way'));`;

async function story(): Promise<void> {
  const spaces = makeNamespaces();
  spaces.secondCable();
  spaces.ip('route', 'add', 'default', 'via', ROUTER_ADDRESS, 'metric', '100');
  spaces.ip('route', 'add', 'default', 'via', OTHER_ROUTER_ADDRESS, 'metric', '200');
  const [hubData, regionData, filesDir] = [tempDir(), tempDir(), tempDir()];
  await startRegional({
    data: regionData,
    mqttPort: BROKER_PORT,
    sets: [`regional.host=${REGION_ADDRESS}`, 'security.allow_open_lan=true'],
    under: spaces.region,
  });
  const [command = '', ...insideRegion] = spaces.region;
  const slow = spawnProcess(command, [...insideRegion, 'node', '-e', SLOW_WAY]);
  onTestFinished(() => void slow.stop());
  await slow.line(/slow way/);
  const hub = await startHub({
    data: hubData,
    sets: [
      `uplink.url=mqtt://${REGION_ADDRESS}:${PORT}`,
      'uplink.link_of=["uplink1=cellular"]',
      'uplink.connect_timeout_s=3',
    ],
    under: spaces.hub,
  });
  const person = new HubInNamespace(spaces, hubData, hub.mqttPort);
  const publish = (count: number): Promise<void> => {
    const file = `${filesDir}/lines`;
    const lines = Array.from({ length: count }, () =>
      randomBytes(MESSAGE_BYTES).toString('base64'),
    );
    writeFileSync(file, `${lines.join('\n')}\n`);
    return person.publishLines('photos/raw', file);
  };
  const until = (holds: (now: StatusSnapshot) => boolean): Promise<StatusSnapshot> =>
    person.until(holds, 120);
  const isSent = ({ backlog }: StatusSnapshot): boolean => backlog.telemetry.ops === 0;

  await publish(MESSAGES);
  await slow.line(/half/);
  spaces.ip('link', 'set', 'uplink0', 'down');
  slow.kill('SIGUSR2');
  const after = await until(isSent);
  assert.equal(after.uplink.device, 'uplink1');
  const closed = await until(({ uplink }) => (uplink.byLink['cellular']?.sessions ?? 0) > 0);
  for (const kind of ['ethernet', 'cellular']) {
    const use = closed.uplink.byLink[kind];
    assert.ok(use !== undefined && use.onS > 0 && use.bytes > 0, `${kind}: ${JSON.stringify(use)}`);
  }
  // By the hub's own count: the system sends some of what the dead connection still held over the other link, too.
  const overOther = closed.uplink.byLink['cellular']?.bytes ?? 0;
  assert.ok(
    overOther < 0.85 * WHOLE_BYTES,
    `${overOther} of ${WHOLE_BYTES} bytes over the other link`,
  );

  spaces.ip('link', 'set', 'uplink0', 'up');
  spaces.ip('route', 'add', 'default', 'via', ROUTER_ADDRESS, 'metric', '100');
  await until(({ uplink }) => uplink.device === 'uplink0');
  await publish(1);
  const home = await until((now) => isSent(now) && now.uplink.linkState === 'up');
  assert.equal(home.uplink.device, 'uplink0');
}

testInNamespaces('a link that dies within a batch: the other one goes on with it', story);
