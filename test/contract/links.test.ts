/** Ways out of a machine: the real reader over files like the kernel's, and the simulated one alike. */
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, describe, test } from 'vitest';

import { machineTimers } from '../../src/platform/clock.ts';
import {
  type LinkDevice,
  type Links,
  type LinkTable,
  ipv4Of,
} from '../../src/platform/links/links.ts';
import { MachineLinks } from '../../src/platform/links/machine-links.ts';
import { SimLinks, simDevice, simRoute, simTable } from '../../src/platform/sim/links.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Rig {
  readonly links: Links;
  readonly set: (table: LinkTable) => void;
}

/** Files as /proc and /sys have them, an `ip monitor` that follows a file, no NetworkManager. */
function machineRig(): Rig {
  const root = tempDir();
  const events = join(root, 'events');
  const ip = join(root, 'ip');
  mkdirSync(join(root, 'proc/net'), { recursive: true });
  writeFileSync(events, '');
  writeFileSync(ip, `#!/bin/sh\nexec tail -n +1 -f ${events}\n`);
  chmodSync(ip, 0o755);
  const none = { nmcli: join(root, 'none'), mmcli: join(root, 'none') };
  const links = new MachineLinks({
    timers: machineTimers,
    proc: join(root, 'proc'),
    sys: join(root, 'sys'),
    ip,
    helpers: none,
  });
  const set = ({ devices, routes }: LinkTable): void => {
    rmSync(join(root, 'sys/class/net'), { recursive: true, force: true });
    for (const { name, isUp, isWireless } of devices) {
      const dir = join(root, 'sys/class/net', name);
      mkdirSync(isWireless ? join(dir, 'wireless') : dir, { recursive: true });
      writeFileSync(join(dir, 'operstate'), isUp ? 'up\n' : 'down\n');
    }
    const lines = routes.map(({ device, network, prefix, metric }) =>
      [device, hex(network), '0102A8C0', '0003', 0, 0, metric, hex(maskOf(prefix)), 0, 0, 0].join(
        '\t',
      ),
    );
    writeFileSync(join(root, 'proc/net/route'), `Iface\tDestination\n${lines.join('\n')}\n`);
    appendFileSync(events, 'an event\n');
  };
  return { links, set };
}

function hex(address: number): string {
  const bytes = [0, 8, 16, 24].map((shift) => Math.floor(address / 2 ** shift) % 256);
  return bytes
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
}

function maskOf(prefix: number): number {
  return 2 ** 32 - 2 ** (32 - prefix);
}

const RIGS: Readonly<Record<string, () => Rig>> = {
  machine: machineRig,
  simulated: () => {
    const links = new SimLinks(machineTimers);
    return { links, set: (table) => links.set(table) };
  },
};

const eth = simDevice('eth0');
const wlan = simDevice('wlan0', { isWireless: true });
const wwan = simDevice('wwan0', { isModem: true });
const cancels: (() => void)[] = [];

afterEach(() => {
  for (const cancel of cancels.splice(0)) cancel();
});

function byName(devices: readonly LinkDevice[]): LinkDevice[] {
  return devices.toSorted((a, b) => a.name.localeCompare(b.name));
}

describe.each(Object.entries(RIGS))('%s', (_, open) => {
  test('a machine that tells nothing has no table', () => {
    assert.equal(open().links.read(), undefined);
  });

  test('devices and routes are what the kernel has', () => {
    const { links, set } = open();
    const near = simRoute('eth0', '192.168.7.0', 24);
    const table = simTable(eth, wlan, wwan, { ...simDevice('eth1'), isUp: false });
    set({ ...table, routes: [...table.routes, near] });
    const read = links.read();
    assert.deepEqual(byName(read?.devices ?? []), byName(table.devices));
    assert.deepEqual(read?.routes, [...table.routes, near]);
  });

  test('a change is told soon after, and not any more once nobody watches', async () => {
    const { links, set } = open();
    set(simTable(eth));
    let told = 0;
    let hear: () => void = () => undefined;
    const stop = links.watch(() => {
      told += 1;
      hear();
    });
    cancels.push(stop);
    const heard = new Promise<void>((resolve) => (hear = resolve));
    set(simTable(wlan, eth));
    await heard;
    assert.equal(links.read()?.routes[0]?.device, 'wlan0');
    stop();
    const before = told;
    set(simTable(wwan));
    await new Promise((resolve) => machineTimers.after(400, () => resolve(undefined)));
    assert.equal(told, before);
  });
});

test('addresses are four numbers below 256', () => {
  assert.equal(ipv4Of('192.168.0.1'), 3_232_235_521);
  assert.equal(ipv4Of('1.2.3'), undefined);
  assert.equal(ipv4Of('1.2.3.256'), undefined);
});
