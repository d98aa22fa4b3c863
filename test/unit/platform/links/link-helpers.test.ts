/** What the helpers print, as they print it, and what they never should. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import {
  askHelpers,
  devicesOfNmcli,
  modemPaths,
  netPorts,
} from '../../../../src/platform/links/link-helpers.ts';
import { ipv4Routes, ipv6Defaults } from '../../../../src/platform/links/route-files.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const NMCLI = `GENERAL.DEVICE:wlan0
GENERAL.TYPE:wifi
GENERAL.IP-IFACE:wlan0
GENERAL.METERED:yes (guessed)
GENERAL.IP4-CONNECTIVITY:2 (portal)

GENERAL.DEVICE:cdc-wdm0
GENERAL.TYPE:gsm
GENERAL.IP-IFACE:wwan0
GENERAL.METERED:no
GENERAL.IP4-CONNECTIVITY:4 (full)

GENERAL.DEVICE:eth0
GENERAL.TYPE:ethernet
GENERAL.IP-IFACE:--
GENERAL.METERED:unknown
GENERAL.IP4-CONNECTIVITY:0 (unknown)
`;

test('nmcli: metered where it says or guesses so, connectivity by its number, a modem by its network device', () => {
  assert.deepEqual(
    [...devicesOfNmcli(NMCLI)],
    [
      ['wlan0', { connectivity: 'portal', isMetered: true }],
      ['wwan0', { connectivity: 'full', isMetered: false, isModem: true }],
      ['eth0', { connectivity: 'unknown' }],
    ],
  );
  const old = devicesOfNmcli('GENERAL.DEVICE:ttyUSB0\nGENERAL.TYPE:cdma\nGENERAL.IP-IFACE:ppp0');
  assert.deepEqual([...old], [['ppp0', { connectivity: 'unknown', isModem: true }]]);
  assert.deepEqual([...devicesOfNmcli('nonsense\n\n:::')], []);
});

test('mmcli: paths of modems, and their network devices', () => {
  const path = '/org/freedesktop/ModemManager1/Modem/0';
  assert.deepEqual(modemPaths(JSON.stringify({ 'modem-list': [path, 7] })), [path]);
  assert.deepEqual(modemPaths('No modems were found'), []);
  const many = Array.from({ length: 20 }, (_, n) => `/modem/${n}`);
  assert.equal(modemPaths(JSON.stringify({ 'modem-list': many })).length, 8, 'each is asked');
  const ports = ['cdc-wdm0 (qmi)', 'ttyUSB2 (at)', 'wwan0 (net)'];
  assert.deepEqual(netPorts(JSON.stringify({ modem: { generic: { ports } } })), ['wwan0']);
  assert.deepEqual(netPorts('{"modem":null}'), []);
});

test('both are asked in the C locale; one that fails is as good as absent', async () => {
  const dir = tempDir();
  const nmcli = join(dir, 'nmcli');
  writeFileSync(nmcli, `#!/bin/sh\n[ "$LC_ALL" = C ] || exit 1\ncat <<'END'\n${NMCLI}END\n`);
  const mmcli = join(dir, 'mmcli');
  writeFileSync(mmcli, '#!/bin/sh\nexit 1\n');
  for (const program of [nmcli, mmcli]) chmodSync(program, 0o755);
  const facts = await askHelpers({ nmcli, mmcli });
  assert.deepEqual([...facts.keys()], ['wlan0', 'wwan0', 'eth0']);
  assert.deepEqual([...(await askHelpers({ nmcli: join(dir, 'no'), mmcli })).keys()], []);
});

test('routes: unusable ones and lines that are none are left out', () => {
  const table = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0',
    'wlan0\t0007A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0',
    '*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0',
    'cut\t0000',
  ].join('\n');
  assert.deepEqual(ipv4Routes(table), [
    { device: 'eth0', network: 0, prefix: 0, metric: 100 },
    { device: 'wlan0', network: 0xc0a80700, prefix: 24, metric: 600 },
  ]);
  const zeros = '0'.repeat(32);
  const lines = [
    `${zeros} 00 ${zeros} 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003 eth0`,
    `${zeros} 00 ${zeros} 00 ${zeros} ffffffff 00000001 00000000 00200200 lo`,
    `${zeros} 40 ${zeros} 00 ${zeros} 00000100 00000001 00000000 00000001 eth1`,
  ].join('\n');
  assert.deepEqual(ipv6Defaults(lines), [{ device: 'eth0', network: 0, prefix: 0, metric: 1_024 }]);
});
