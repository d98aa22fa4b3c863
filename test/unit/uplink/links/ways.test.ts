import assert from 'node:assert/strict';
import { test } from 'vitest';

import { simDevice, simRoute, simTable } from '../../../../src/platform/sim/links.ts';
import { waysTo } from '../../../../src/uplink/links/ways.ts';

const eth = simDevice('eth0');
const wlan = simDevice('wlan0', { isWireless: true });
const wwan = simDevice('wwan0', { isModem: true });
const FAR = 'region.example';

test('the kernel takes the default route with the least metric, and so do we', () => {
  const ways = waysTo(FAR, simTable(wlan, wwan, eth));
  assert.deepEqual(
    ways.map(({ device, kind }) => [device, kind]),
    [
      ['wlan0', 'wifi'],
      ['wwan0', 'cellular'],
      ['eth0', 'ethernet'],
    ],
  );
});

test('a device without a carrier is no way, though its route stands', () => {
  assert.deepEqual(waysTo(FAR, simTable({ ...eth, isUp: false })), []);
  assert.equal(waysTo(FAR, simTable({ ...eth, isUp: false }, wwan))[0]?.device, 'wwan0');
});

test('an upstream on the local network needs no default route', () => {
  const table = { devices: [eth, wlan], routes: [simRoute('eth0', '192.168.7.0', 24)] };
  assert.equal(waysTo('192.168.7.20', table)[0]?.device, 'eth0');
  assert.deepEqual(waysTo('192.168.8.20', table), []);
  assert.deepEqual(waysTo(FAR, table), []);
  assert.equal(waysTo('region.local', table)[0]?.device, 'eth0');
});

test('the longest prefix wins over the metric', () => {
  const table = simTable(wlan, eth);
  const routes = [...table.routes, simRoute('eth0', '10.0.0.0', 8)];
  assert.equal(waysTo('10.1.2.3', { ...table, routes })[0]?.device, 'eth0');
  assert.equal(waysTo('11.1.2.3', { ...table, routes })[0]?.device, 'wlan0');
});

test('this very machine is always there', () => {
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    assert.equal(waysTo(host, { devices: [], routes: [] })[0]?.kind, 'ethernet');
  }
});

test('whoever pays for bytes has a cellular link; a tunnel costs what lies below it', () => {
  const hotspot = { ...wlan, isMetered: true };
  assert.equal(waysTo(FAR, simTable(hotspot))[0]?.kind, 'cellular');
  const tunnel = simDevice('wg0');
  assert.equal(waysTo(FAR, simTable(tunnel, wlan))[0]?.kind, 'wifi');
  assert.equal(waysTo(FAR, simTable(tunnel, hotspot))[0]?.kind, 'cellular');
  assert.equal(waysTo(FAR, simTable(tunnel))[0]?.kind, 'cellular');
});

test('the operator knows what hangs on a cable', () => {
  const kinds = new Map([['eth0', 'satellite' as const]]);
  assert.equal(waysTo(FAR, simTable(eth), kinds)[0]?.kind, 'satellite');
});

test('a portal that NetworkManager sees is told', () => {
  assert.equal(waysTo(FAR, simTable({ ...wlan, connectivity: 'portal' }))[0]?.isPortal, true);
});
