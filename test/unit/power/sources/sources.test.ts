import assert from 'node:assert/strict';
import { test } from 'vitest';

import { systemError } from '../../../../src/base/errors.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import type { Reading } from '../../../../src/power/estimate/reading.ts';
import { listenTo, probeRows } from '../../../../src/power/probe.ts';
import { detectSources, openSources } from '../../../../src/power/sources/open-sources.ts';
import { parseSource } from '../../../../src/power/sources/source-spec.ts';
import { askPowerSupplies } from '../../../../src/power/sources/sysfs.ts';
import type { PowerMachine } from '../../../../src/power/sources/source.ts';
import { driversOf, machineOf } from '../../../support/made/sys-tree.ts';

function readPowerSupplies(machine: PowerMachine, atMs: number): Reading | undefined {
  let answer: Reading | undefined;
  askPowerSupplies(machine, machine.drivers.open(), atMs, (reading) => {
    answer = typeof reading === 'string' ? undefined : reading;
  });
  return answer;
}

const SUPPLY = '/sys/class/power_supply';
const BATTERY = { chemistry: 'lifepo4', nominalVolts: 12, capacityWh: 256 } as const;

function captured(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}

test('a laptop battery by its uevent: micro-units become units, discharging makes the current negative', () => {
  const machine = machineOf({
    [`${SUPPLY}/BAT0/uevent`]:
      'POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_STATUS=Discharging\nPOWER_SUPPLY_VOLTAGE_NOW=12800000\n' +
      'POWER_SUPPLY_CURRENT_NOW=500000\nPOWER_SUPPLY_CAPACITY=71\nPOWER_SUPPLY_TEMP=253',
    [`${SUPPLY}/AC/type`]: 'Mains',
    [`${SUPPLY}/AC/online`]: '0',
  });
  assert.deepEqual(readPowerSupplies(machine, 7), {
    atMs: 7,
    quality: 'good',
    batteryVolts: 12.8,
    batteryAmps: -0.5,
    batteryWatts: -6.4,
    socRatio: 0.71,
    tempC: 25.3,
  });
});

test('single attribute files, a refused attribute, and a mouse that is not the site', () => {
  const machine = machineOf({
    [`${SUPPLY}/strange name/type`]: 'Battery',
    [`${SUPPLY}/strange name/status`]: 'Charging',
    [`${SUPPLY}/strange name/energy_now`]: '30000000',
    [`${SUPPLY}/strange name/energy_full`]: '40000000',
    [`${SUPPLY}/strange name/current_now`]: '-1200000',
    [`${SUPPLY}/strange name/voltage_now`]: new Error('ENODATA'),
    [`${SUPPLY}/hidpp_battery_0/type`]: 'Battery',
    [`${SUPPLY}/hidpp_battery_0/scope`]: 'Device',
    [`${SUPPLY}/hidpp_battery_0/capacity`]: '5',
  });
  const reading = readPowerSupplies(machine, 0);
  assert.deepEqual(reading, { atMs: 0, quality: 'good', batteryAmps: 1.2, socRatio: 0.75 });
});

test('a bay without a battery counts for nothing', () => {
  const machine = machineOf({
    [`${SUPPLY}/BAT0/type`]: 'Battery',
    [`${SUPPLY}/BAT0/capacity`]: '63',
    [`${SUPPLY}/BAT0/voltage_now`]: '13210000',
    [`${SUPPLY}/BAT1/type`]: 'Battery',
    [`${SUPPLY}/BAT1/present`]: '0',
    [`${SUPPLY}/BAT1/capacity`]: '0',
    [`${SUPPLY}/BAT1/voltage_now`]: '0',
  });
  const reading = readPowerSupplies(machine, 0);
  assert.deepEqual(reading, { atMs: 0, quality: 'good', batteryVolts: 13.21, socRatio: 0.63 });
});

test('two batteries count by their size', () => {
  const battery = (name: string, now: string, full: string): Record<string, string> => ({
    [`${SUPPLY}/${name}/type`]: 'Battery',
    [`${SUPPLY}/${name}/energy_now`]: now,
    [`${SUPPLY}/${name}/energy_full`]: full,
  });
  const machine = machineOf({
    ...battery('a', '0', '10000000'),
    ...battery('b', '30000000', '30000000'),
  });
  assert.equal(readPowerSupplies(machine, 0)?.socRatio, 0.75);
});

test('mains without a battery is mains; nothing at all is nothing', () => {
  const machine = machineOf({ [`${SUPPLY}/AC/type`]: 'Mains', [`${SUPPLY}/AC/online`]: '1' });
  assert.equal(readPowerSupplies(machine, 0)?.mains, true);
  assert.equal(readPowerSupplies(machineOf({}), 0), undefined);
});

test('a driver that hangs is asked once, told as lost, and heard again when it answers', async () => {
  const contents = {
    [`${SUPPLY}/BAT0/type`]: 'Battery',
    [`${SUPPLY}/BAT0/voltage_now`]: '13100000',
  };
  const drivers = driversOf(contents);
  const machine = { ...machineOf(contents), drivers };
  const clock = machine.clock as SimClock;
  const readAtS: number[] = [];
  const losses: string[] = [];
  const [source] = openSources(['sysfs'], { machine });
  source?.start(
    ({ atMs }) => readAtS.push(atMs / 1_000),
    (reason) => losses.push(reason),
  );
  await clock.advance(15_000);
  drivers.hang(`${SUPPLY}/BAT0/voltage_now`);
  await clock.advance(10 * 60_000);
  source?.refresh?.();
  assert.equal(drivers.waitingFor(`${SUPPLY}/BAT0/voltage_now`), 1);
  assert.deepEqual(readAtS, [0, 10]);
  assert.equal(losses.length, 1);
  assert.match(losses[0] as string, /does not answer/);
  drivers.letGo(`${SUPPLY}/BAT0/voltage_now`);
  assert.deepEqual(readAtS, [0, 10, 20], 'what it read then, not now');
  await clock.advance(10_000);
  assert.equal(readAtS.at(-1), 620);
  drivers.hang(`${SUPPLY}/BAT0/voltage_now`);
  await clock.advance(10_000);
  source?.stop();
  drivers.letGo(`${SUPPLY}/BAT0/voltage_now`);
  await clock.advance(60_000);
  assert.equal(readAtS.at(-1), 620, 'nothing after stop');
});

test('every text of power.sources that the contract names is understood', () => {
  assert.deepEqual(parseSource('auto'), { kind: 'auto' });
  assert.deepEqual(parseSource('ve-direct:/dev/ttyUSB0'), {
    kind: 've-direct',
    path: '/dev/ttyUSB0',
  });
  assert.deepEqual(parseSource('venus-mqtt:mqtt://host'), {
    kind: 'venus-mqtt',
    url: 'mqtt://host',
  });
  assert.deepEqual(parseSource('mqtt:a/b#c.d'), { kind: 'mqtt', topic: 'a/b', path: 'c.d' });
  const named = { kind: 'mqtt', topic: 'a', path: 'x', field: 'batteryV' };
  assert.deepEqual(parseSource('mqtt:a#x=batteryV'), named);
});

test.each([
  '',
  'solar',
  've-direct:',
  've-direct:ttyUSB0',
  'venus-mqtt:host',
  'mqtt:#x',
  'mqtt:a',
  'mqtt:a/+#x',
])('a bad source is a fault with a sentence: %j', (text) => {
  assert.throws(() => parseSource(text), {
    code: 'power.source-invalid',
    message: /power\.sources/,
  });
});

test('a login in the address of a GX is refused, and the message does not tell it', () => {
  const error = captured(() => parseSource('venus-mqtt:mqtt://remote:sekret@gx'));
  assert.match(error.message, /power\.venus\.password_file/);
  assert.doesNotMatch(error.message, /sekret/);
});

test('an empty list and a simulated source without a site are faults', () => {
  const machine = machineOf({});
  assert.throws(() => openSources([], { machine }), { code: 'power.source-invalid' });
  assert.throws(() => openSources(['simulated'], { machine }), { code: 'power.source-invalid' });
});

test('auto finds an adapter, the battery and a chip, and says so', () => {
  const adapter = '/dev/serial/by-id/usb-VictronEnergy_BV_VE_Direct_cable_VE1-if00-port0';
  const machine = machineOf({
    [adapter]: '',
    '/dev/serial/by-id/usb-Prolific-if00': '',
    [`${SUPPLY}/BAT0/type`]: 'Battery',
    [`${SUPPLY}/BAT0/capacity`]: '50',
    '/sys/class/hwmon/hwmon0/name': 'ina219',
    '/sys/class/hwmon/hwmon0/in1_input': '12000',
  });
  assert.deepEqual(detectSources(machine), [`ve-direct:${adapter}`, 'sysfs', 'hwmon']);
  const names = openSources(['auto'], { machine }).map((source) => source.name);
  assert.deepEqual(names, [`ve-direct:${adapter}`, 'sysfs', 'hwmon']);
  assert.deepEqual(detectSources(machineOf({})), []);
});

test('folders that cannot be read are no sources, and keep no hub from starting', async () => {
  const machine = machineOf({
    '/dev/serial/by-id': systemError('EACCES', 'scandir'),
    [SUPPLY]: systemError('EIO', 'scandir'),
    '/sys/class/hwmon': systemError('EMFILE', 'scandir'),
    '/sys/class/hwmon/hwmon0/name': 'ina219',
  });
  assert.deepEqual(detectSources(machine), []);
  const lost: string[] = [];
  for (const source of openSources(['auto'], { machine })) {
    source.start(
      () => assert.fail('nothing to read'),
      (reason) => lost.push(reason),
    );
  }
  await (machine.clock as SimClock).advance(30_000);
  assert.equal(lost.length, 3);
});

test('a chip whose name cannot be read is passed over', () => {
  const machine = machineOf({
    '/sys/class/hwmon/hwmon0/name': systemError('EIO', 'read'),
    '/sys/class/hwmon/hwmon1/name': 'ina219',
  });
  assert.deepEqual(detectSources(machine), ['hwmon']);
});

test('a probe shows figures with unit and age, and why a source is silent', async () => {
  const machine = machineOf({
    [`${SUPPLY}/BAT0/type`]: 'Battery',
    [`${SUPPLY}/BAT0/capacity`]: '50',
  });
  const { clock } = machine;
  const sources = openSources(['sysfs', 'hwmon'], { machine });
  const listening = listenTo(sources, BATTERY);
  await (clock as SimClock).advance(5_000);
  listening.stop();
  assert.deepEqual(probeRows(listening.views(5_000), 5_000, BATTERY), [
    { source: 'sysfs', field: 'socRatio', value: '50.0', unit: '%', ageS: 5 },
    { source: 'hwmon', value: 'no ina219, ina226 or ina3221 in /sys/class/hwmon', unit: '' },
  ]);
});

test.each([
  [
    'sysfs',
    { [`${SUPPLY}/BAT0/type`]: 'Battery', [`${SUPPLY}/BAT0/capacity`]: new Error('EIO') },
    'the battery in /sys/class/power_supply tells no figure: check its wiring',
  ],
  [
    'hwmon',
    {
      '/sys/class/hwmon/hwmon0/name': 'ina219',
      '/sys/class/hwmon/hwmon0/in1_input': new Error('EIO'),
    },
    'the chip in /sys/class/hwmon tells no voltage: check its wiring',
  ],
])(
  '%s: one that is there and tells nothing is lost, and not looked for elsewhere',
  (text, contents, reason) => {
    const machine = machineOf(contents);
    const lost: string[] = [];
    const [source] = openSources([text], { machine });
    source?.start(
      () => assert.fail('there is no reading'),
      (why) => lost.push(why),
    );
    assert.deepEqual(lost, [reason]);
    source?.stop();
  },
);

test('a probe does not doubt what a panel at night tells a little below nothing', () => {
  const chip = '/sys/class/hwmon/hwmon0';
  const machine = machineOf({
    [`${chip}/name`]: 'ina3221',
    [`${chip}/in2_input`]: '18000',
    [`${chip}/curr2_input`]: '-16',
    [`${chip}/in3_input`]: '13000',
    [`${chip}/curr3_input`]: '-400',
  });
  const listening = listenTo(openSources(['hwmon'], { machine }), BATTERY);
  listening.stop();
  const rows = probeRows(listening.views(0), 0, BATTERY);
  assert.deepEqual(
    rows.map(({ field, value, doubted }) => [field, value, doubted]),
    [
      ['pvWatts', '-0.29', undefined],
      ['loadWatts', '-5.20', true],
    ],
  );
});

test('a probe marks what cannot be of this battery, until that is long ago', async () => {
  const machine = machineOf({
    [`${SUPPLY}/BAT0/type`]: 'Battery',
    [`${SUPPLY}/BAT0/capacity`]: '50',
    [`${SUPPLY}/BAT0/voltage_now`]: '48000000',
    [`${SUPPLY}/BAT0/current_now`]: '1000000',
  });
  const listening = listenTo(openSources(['sysfs'], { machine }), BATTERY);
  listening.stop();
  const doubtedAt = (nowMs: number): unknown[] =>
    probeRows(listening.views(nowMs), nowMs, BATTERY).map(({ field, doubted }) => [field, doubted]);
  assert.deepEqual(doubtedAt(1_000), [
    ['batteryVolts', true],
    ['batteryAmps', undefined],
    ['batteryWatts', true],
    ['socRatio', undefined],
  ]);
  assert.deepEqual(doubtedAt(10 * 60_000), [
    ['batteryVolts', undefined],
    ['batteryAmps', undefined],
    ['batteryWatts', undefined],
    ['socRatio', undefined],
  ]);
});
