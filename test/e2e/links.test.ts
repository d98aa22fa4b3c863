/**
 * A real hub over a link that appears, lies and goes, in network namespaces of its own: no route, a route, a captive
 * portal in the place of the region, a cable that is pulled.
 */
import assert from 'node:assert/strict';

import type { StatusSnapshot } from '../../src/status/snapshot.ts';
import { HubInNamespace } from '../support/hubs/hub-in-namespace.ts';
import { startHub, startRegional } from '../support/hubs/hub.ts';
import {
  makeNamespaces,
  REGION_ADDRESS,
  ROUTER_ADDRESS,
  testInNamespaces,
} from '../support/machine/netns.ts';
import { spawnProcess } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const PORT = 2883;

/** Answers everything with the page of a captive portal. */
const PORTAL = `require('node:net').createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', () => socket.end('HTTP/1.1 302 Found\\r\\nLocation: http://portal/\\r\\n\\r\\n'));
}).listen(${PORT}, '${REGION_ADDRESS}', () => console.log('portal'))`;

async function story(): Promise<void> {
  const spaces = makeNamespaces();
  const [hubData, regionData] = [tempDir(), tempDir()];
  const openRegion = () =>
    startRegional({
      data: regionData,
      mqttPort: PORT,
      sets: [`regional.host=${REGION_ADDRESS}`, 'security.allow_open_lan=true'],
      under: spaces.region,
    });
  const region = await openRegion();
  const hub = await startHub({
    data: hubData,
    sets: [`uplink.url=mqtt://${REGION_ADDRESS}:${PORT}`, 'uplink.connect_timeout_s=3'],
    under: spaces.hub,
  });
  const person = new HubInNamespace(spaces, hubData, hub.mqttPort);
  const publish = (text: string): Promise<void> => person.publish('alarms/door', '-m', text);
  const until = (holds: (now: StatusSnapshot) => boolean): Promise<StatusSnapshot> =>
    person.until(holds, 60);
  const waiting = ({ backlog }: StatusSnapshot): number => backlog.telemetry.ops;

  await publish('one');
  const before = await until((now) => waiting(now) > 0);
  assert.equal(before.uplink.linkState, 'absent');
  assert.deepEqual(before.uplink.byLink, {}, 'nothing is tried without a route');

  spaces.ip('route', 'add', 'default', 'via', ROUTER_ADDRESS);
  const after = await until((now) => now.uplink.lastReceiptAt !== null && waiting(now) === 0);
  assert.equal(after.uplink.linkState, 'up');
  assert.equal(after.uplink.device, 'uplink0');

  await region.process.stop();
  spaces.ip('route', 'del', 'default');
  const between = await until((now) => now.uplink.linkState === 'absent');
  const [command = '', ...inside] = spaces.region;
  const portal = spawnProcess(command, [...inside, 'node', '-e', PORTAL]);
  await portal.line(/portal/);
  spaces.ip('route', 'add', 'default', 'via', ROUTER_ADDRESS);
  await publish('two');
  const sessions = ({ uplink }: StatusSnapshot): number => uplink.byLink['ethernet']?.sessions ?? 0;
  const fooled = await until((now) => sessions(now) > sessions(between));
  assert.equal(fooled.uplink.linkState, 'found', 'a portal is no backhaul');
  assert.equal(waiting(fooled), 1);

  await portal.stop();
  await openRegion();
  spaces.ip('link', 'set', 'uplink0', 'down');
  await until((now) => now.uplink.linkState === 'absent');
  spaces.ip('link', 'set', 'uplink0', 'up');
  spaces.ip('route', 'replace', 'default', 'via', ROUTER_ADDRESS);
  const healed = await until((now) => waiting(now) === 0);
  assert.equal(healed.uplink.linkState, 'up');
}

testInNamespaces('a hub follows its links: no route, a route, a portal, a pulled cable', story);
