/** What a hub makes of others that announce themselves on its network. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { SILENT_LOG } from '../../../../src/base/log.ts';
import { Closers } from '../../../../src/closers.ts';
import { loadConfig } from '../../../../src/config/config.ts';
import type { Ground } from '../../../../src/hub/ground.ts';
import { discoverPeers } from '../../../../src/hub/sync/discovery.ts';
import type { Discovery } from '../../../../src/platform/network/discovery.ts';
import { SimDiscovery } from '../../../support/simulated/discovery.ts';
import { machineTimers } from '../../../../src/platform/clock.ts';

const US = 'aaaaaaaaaaaaaaaa';
const THEM = 'bbbbbbbbbbbbbbbb';

/** What we would dial, when one hub of our site and one of another announce themselves; undefined: we never listened. */
async function dialled(sets: string[], text: Record<string, string> = {}): Promise<string[]> {
  const network = new SimDiscovery(machineTimers);
  const other = {
    type: 'heliograph',
    where: 'lan',
    onFound: () => undefined,
    onError: () => undefined,
  };
  const say = (name: string, site: string): Promise<unknown> =>
    network.at('10.1.1.7').open({
      ...other,
      own: { name, port: 1_884, text: { v: '1', site, hub: THEM, ...text } },
    });
  await say('ours', 'demo');
  await say('theirs', 'elsewhere');
  const outcome = loadConfig({ sets: ['peer.enabled=true', ...sets] });
  assert.ok(outcome.kind === 'ok');
  const wheres: string[] = [];
  const seen = network.at('10.1.1.6');
  const discovery: Discovery = {
    open: (options) => {
      wheres.push(options.where);
      return seen.open(options);
    },
  };
  const machine = { log: SILENT_LOG, discovery };
  const ground = { config: outcome.config, machine, id: US, closers: new Closers() };
  const found: string[] = [];
  const addresses = { mqtt: 'mqtt://0.0.0.0:1883' };
  const book = { found: (hub: string, address: string) => void found.push(`${hub} ${address}`) };
  await discoverPeers(ground as unknown as Ground, addresses, book);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  return [...wheres, ...found];
}

const OPEN_LAN = ['broker.host="0.0.0.0"', 'security.allow_open_lan=true'];

test('a hub of the same site is dialled where it was heard; one of another site is not', async () => {
  assert.deepEqual(await dialled(OPEN_LAN), ['lan', `${THEM} mqtt://10.1.1.7:1884`]);
});

test('a broker for this machine alone neither announces nor listens, unless it is said', async () => {
  assert.deepEqual(await dialled([]), []);
  assert.deepEqual(await dialled([...OPEN_LAN, 'peer.discover="off"']), []);
  const [where] = await dialled(['peer.discover="loopback"']);
  assert.equal(where, 'loopback');
});

test('a password is told to nobody who cannot prove itself', async () => {
  const password = ['broker.host="10.1.1.6"', 'security.mode="password"'];
  assert.deepEqual(await dialled(password, { tls: '8883' }), ['10.1.1.6']);
  const proven = [...password, 'peer.ca_file="/etc/ca.pem"'];
  assert.deepEqual(await dialled(proven), ['10.1.1.6']);
  assert.deepEqual(await dialled(proven, { tls: '8883' }), [
    '10.1.1.6',
    `${THEM} mqtts://10.1.1.7:8883`,
  ]);
  assert.deepEqual(await dialled(proven, { tls: '0' }), ['10.1.1.6']);
  assert.deepEqual(await dialled(proven, { tls: '1e3@evil' }), ['10.1.1.6']);
});

test('our own announcement is no peer', async () => {
  assert.deepEqual(await dialled(OPEN_LAN, { hub: US }), ['lan']);
  assert.deepEqual(await dialled(OPEN_LAN, { hub: 'nonsense' }), ['lan']);
});
