/** Current and voltage chips: which of them measures what. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import type { Reading } from '../../../../src/power/estimate/reading.ts';
import { listenTo, probeRows } from '../../../../src/power/probe.ts';
import { askHwmon } from '../../../../src/power/sources/hwmon.ts';
import { openSources } from '../../../../src/power/sources/open-sources.ts';
import type { PowerMachine } from '../../../../src/power/sources/source.ts';
import { machineOf } from '../../../support/made/sys-tree.ts';

const BATTERY = { chemistry: 'lifepo4', nominalVolts: 12, capacityWh: 256 } as const;

function readHwmon(machine: PowerMachine, atMs: number): Reading | undefined {
  let answer: Reading | undefined;
  askHwmon(machine, machine.drivers.open(), atMs, (reading) => {
    answer = typeof reading === 'string' ? undefined : reading;
  });
  return answer;
}

test('an ina226 is the battery, an ina3221 goes by labels or by order', () => {
  const single = machineOf({
    '/sys/class/hwmon/hwmon0/name': 'cpu_thermal',
    '/sys/class/hwmon/hwmon1/name': 'ina226',
    '/sys/class/hwmon/hwmon1/in0_input': '3',
    '/sys/class/hwmon/hwmon1/in1_input': '12900',
    '/sys/class/hwmon/hwmon1/curr1_input': '-400',
  });
  const battery = { batteryVolts: 12.9, batteryAmps: -0.4, batteryWatts: 12.9 * -0.4 };
  assert.deepEqual(readHwmon(single, 1), { atMs: 1, quality: 'good', ...battery });

  const chip = '/sys/class/hwmon/hwmon0';
  const triple = machineOf({
    [`${chip}/name`]: 'ina3221',
    [`${chip}/in1_label`]: 'SOLAR',
    [`${chip}/in1_input`]: '18000',
    [`${chip}/curr1_input`]: '1000',
    [`${chip}/in2_label`]: 'battery',
    [`${chip}/in2_input`]: '13000',
    [`${chip}/curr2_input`]: '500',
    [`${chip}/in3_input`]: '5000',
    [`${chip}/curr3_input`]: new Error('EIO'),
  });
  const reading = readHwmon(triple, 1);
  assert.equal(reading?.pvWatts, 18);
  assert.equal(reading?.batteryVolts, 13);
  assert.equal(reading?.loadWatts, undefined);
});

test('what a wrongly wired rail tells is told as it is, and judged later', () => {
  const chip = '/sys/class/hwmon/hwmon0';
  const reversed = machineOf({
    [`${chip}/name`]: 'ina3221',
    [`${chip}/in2_input`]: '18000',
    [`${chip}/curr2_input`]: '-1000',
  });
  assert.equal(readHwmon(reversed, 1)?.pvWatts, -18);
});

/** Chips at 0x40 and 0x41, the second of which the kernel found first. */
const TWO_CHIPS = {
  '/sys/class/hwmon/hwmon0/name': 'ina219',
  '/sys/class/hwmon/hwmon0/in1_input': '18200',
  '/sys/class/hwmon/hwmon0/curr1_input': '500',
  '/sys/bus/i2c/devices/1-0041/hwmon/hwmon0/name': 'ina219',
  '/sys/class/hwmon/hwmon1/name': 'ina219',
  '/sys/class/hwmon/hwmon1/in1_input': '13100',
  '/sys/class/hwmon/hwmon1/curr1_input': '-200',
  '/sys/bus/i2c/devices/1-0040/hwmon/hwmon1/name': 'ina219',
  '/sys/bus/i2c/devices/i2c-1/name': 'bcm2835',
};

function probedAt(texts: readonly string[], contents: Record<string, string>): string[] {
  const machine = machineOf(contents);
  const listening = listenTo(openSources(texts, { machine }), BATTERY);
  listening.stop();
  const rows = probeRows(listening.views(0), 0, BATTERY);
  return rows.map(({ source, field, value }) => [source, field, value].filter(Boolean).join(' '));
}

test('two chips: the first by its address is the battery, the other waits for a word of the installer', () => {
  const battery = ['batteryVolts 13.10', 'batteryAmps -0.20', 'batteryWatts -2.62'];
  const unsaid =
    'hwmon:1-0041 tells 18.20 V, 0.50 A, and nobody says of what: write hwmon:1-0041=panel (or battery, or load) into power.sources';
  assert.deepEqual(probedAt(['hwmon'], TWO_CHIPS), [...battery.map((it) => `hwmon ${it}`), unsaid]);
  const named = 'hwmon:1-0041=panel pvWatts 9.10';
  assert.deepEqual(probedAt(['hwmon', 'hwmon:1-0041=panel'], TWO_CHIPS), [
    ...battery.map((it) => `hwmon ${it}`),
    named,
  ]);
  assert.deepEqual(probedAt(['hwmon:1-0040', 'hwmon:1-0041=panel', 'hwmon'], TWO_CHIPS), [
    ...battery.map((it) => `hwmon:1-0040 ${it}`),
    named,
  ]);
  const swapped = probedAt(['hwmon:1-0040=load', 'hwmon'], TWO_CHIPS);
  assert.deepEqual(swapped.slice(0, 2), [
    'hwmon:1-0040=load loadWatts -2.62',
    'hwmon batteryVolts 18.20',
  ]);
  assert.match(
    probedAt(['hwmon:1-0044'], TWO_CHIPS)[0] as string,
    /^hwmon:1-0044 no ina219, .* at 1-0044 in/,
  );
  const labelled = { ...TWO_CHIPS, '/sys/class/hwmon/hwmon0/in1_label': 'PV' };
  assert.equal(probedAt(['hwmon'], labelled).at(-1), 'hwmon:1-0041 pvWatts 9.10');
});

test('a chip with three rails measures what the config says, in their order', () => {
  const chip = '/sys/class/hwmon/hwmon0';
  const contents = {
    [`${chip}/name`]: 'ina3221',
    '/sys/bus/i2c/devices/0-0040/hwmon/hwmon0/name': 'ina3221',
    [`${chip}/in1_input`]: '18000',
    [`${chip}/curr1_input`]: '1000',
    [`${chip}/in2_input`]: '5000',
    [`${chip}/curr2_input`]: '100',
    [`${chip}/in3_input`]: '13000',
    [`${chip}/curr3_input`]: '500',
  };
  const fields = probedAt(['hwmon:0-0040=panel,none,battery'], contents).map(
    (it) => it.split(' ')[1],
  );
  assert.deepEqual(fields, ['batteryVolts', 'batteryAmps', 'batteryWatts', 'pvWatts']);
});
