/**
 * What every power source promises, real or simulated: a reading soon after the start, fields that are absent rather
 * than wrong, one word when the device is lost, readings again when it is back, silence after stop.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { SimClock } from '../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';
import { SimDriverFiles } from '../../src/platform/sim/driver-files.ts';
import { SimSerialPorts } from '../../src/platform/sim/serial.ts';
import { SimSite, siteNow } from '../../src/platform/sim/site.ts';
import { READING_FIELDS, type Reading } from '../../src/power/estimate/reading.ts';
import { hwmonSource } from '../../src/power/sources/hwmon.ts';
import { simulatedSource } from '../../src/power/sources/simulated.ts';
import type { DriverMachine, PowerSource } from '../../src/power/sources/source.ts';
import { sysfsSource } from '../../src/power/sources/sysfs.ts';
import { VeDirectSource } from '../../src/power/sources/ve-direct.ts';
import { treeOf } from '../support/made/sys-tree.ts';

interface Rig {
  readonly clock: SimClock;
  readonly source: PowerSource;
  /** Takes the device away, and puts it back. */
  readonly pull: () => void;
  readonly plug: () => void;
  /** How long a return may take to be noticed. */
  readonly noticeMs: number;
}

function sysTreeRig(
  attributes: Record<string, string>,
  make: (machine: DriverMachine) => PowerSource,
): Rig {
  const clock = new SimClock(0);
  let plugged = true;
  const textAt = (path: string): string | undefined => (plugged ? attributes[path] : undefined);
  const tree = treeOf(attributes);
  const files = {
    exists: () => plugged,
    list: (dir: string) => (plugged ? tree.list(dir) : []),
    read: (path: string) => (plugged ? tree.read(path) : undefined),
  };
  const drivers = new SimDriverFiles(textAt);
  return {
    clock,
    source: make({ files, drivers, clock, timers: clock, sysRoot: '/sys' }),
    pull: () => (plugged = false),
    plug: () => (plugged = true),
    noticeMs: 10_000,
  };
}

function sysfsRig(): Rig {
  const supply = '/sys/class/power_supply/device0';
  const attributes = {
    [`${supply}/type`]: 'Battery',
    [`${supply}/status`]: 'Charging',
    [`${supply}/capacity`]: '60',
    [`${supply}/voltage_now`]: '13100000',
  };
  return sysTreeRig(attributes, sysfsSource);
}

/** Two chips on one bus, the second of which the kernel found first. */
const CHIPS = {
  '/sys/class/hwmon/hwmon1/name': 'ina219',
  '/sys/class/hwmon/hwmon1/in1_input': '13100',
  '/sys/class/hwmon/hwmon1/curr1_input': '200',
  '/sys/bus/i2c/devices/1-0040/hwmon/hwmon1/name': 'ina219',
  '/sys/class/hwmon/hwmon0/name': 'ina219',
  '/sys/class/hwmon/hwmon0/in1_input': '18200',
  '/sys/class/hwmon/hwmon0/curr1_input': '500',
  '/sys/bus/i2c/devices/1-0041/hwmon/hwmon0/name': 'ina219',
};

function hwmonRig(): Rig {
  return sysTreeRig(CHIPS, (machine) => hwmonSource('hwmon', machine, {}));
}

function panelChipRig(): Rig {
  const choice = { address: '1-0041', rails: ['panel'] } as const;
  return sysTreeRig(CHIPS, (machine) => hwmonSource('hwmon:1-0041=panel', machine, choice));
}

const BLOCK = Buffer.from(
  '\r\nPID\t0xA053\r\nV\t13120\r\nI\t2150\r\nVPV\t34250\r\nPPV\t29\r\nCS\t3\r\nERR\t0' +
    '\r\nH19\t2502\r\nH20\t6\r\nH21\t53\r\nHSDS\t351\r\nChecksum\t\x1b',
  'latin1',
);

function veDirectRig(): Rig {
  const clock = new SimClock(0);
  const serial = new SimSerialPorts(clock);
  const path = '/dev/ttyUSB0';
  serial.plug(path);
  clock.every(1_000, () => serial.send(path, BLOCK));
  const random = new SeededRandom(1);
  const source = new VeDirectSource('ve-direct:/dev/ttyUSB0', () => path, {
    serial,
    clock,
    timers: clock,
    random,
  });
  const pull = (): void => serial.unplug(path);
  return { clock, source, pull, plug: () => serial.plug(path), noticeMs: 15_000 };
}

function simulatedRig(): Rig {
  const clock = new SimClock(1_800_000_000_000);
  const site = new SimSite(
    {
      sky: { ghiWm2: () => 500 },
      panelWatts: 60,
      capacityWh: 256,
      nominalVolts: 12,
      baseWatts: 3,
      radioWatts: 5,
      startRatio: 0.5,
    },
    clock.wallMs(),
  );
  return {
    clock,
    source: simulatedSource({ clock, timers: clock }, siteNow(site, clock)),
    pull: () => undefined,
    plug: () => undefined,
    noticeMs: 0,
  };
}

const RIGS: Record<string, () => Rig> = {
  sysfs: sysfsRig,
  hwmon: hwmonRig,
  'hwmon:1-0041=panel': panelChipRig,
  've-direct': veDirectRig,
  simulated: simulatedRig,
};

describe.each(Object.entries(RIGS))('%s', (name, makeRig) => {
  function started(): Rig & { readings: Reading[]; losses: string[] } {
    const rig = makeRig();
    const readings: Reading[] = [];
    const losses: string[] = [];
    rig.source.start(
      (reading) => readings.push(reading),
      (reason) => losses.push(reason),
    );
    return { ...rig, readings, losses };
  }

  test('reads within five seconds and at least twice a minute, in SI units', async () => {
    const { clock, readings, losses } = started();
    await clock.advance(5_000);
    assert.ok(readings.length > 0);
    readings.length = 0;
    await clock.advance(60_000);
    assert.ok(readings.length >= 2);
    assert.deepEqual(losses, []);
    for (const reading of readings) {
      assert.ok(reading.atMs > 0 && reading.atMs <= clock.monotonicMs());
      const { batteryVolts, pvWatts } = reading;
      const figure = batteryVolts ?? pvWatts ?? 0;
      assert.ok(figure > 9 && figure < 16);
      for (const field of READING_FIELDS) {
        const value = reading[field];
        assert.ok(
          typeof value !== 'number' || Number.isFinite(value),
          `${field} is ${String(value)}`,
        );
        assert.ok(value !== undefined || !(field in reading), `${field} is present and undefined`);
      }
    }
  });

  test.skipIf(name === 'simulated')(
    'says once that the device is gone, and reads again when it is back',
    async () => {
      const { clock, readings, losses, pull, plug, noticeMs } = started();
      await clock.advance(15_000);
      pull();
      await clock.advance(10 * 60_000);
      assert.equal(losses.length, 1);
      assert.ok((losses[0] as string).length > 0);
      readings.length = 0;
      plug();
      await clock.advance(noticeMs);
      assert.ok(readings.length > 0);
      pull();
      await clock.advance(60_000);
      assert.equal(losses.length, 2, 'a second loss is told again');
    },
  );

  test('is silent after stop', async () => {
    const { clock, readings, losses, source, pull } = started();
    await clock.advance(5_000);
    source.stop();
    readings.length = 0;
    pull();
    await clock.advance(120_000);
    assert.deepEqual([readings.length, losses.length], [0, 0]);
  });
});

test('a VE.Direct line that stays open and silent is told as lost', async () => {
  const clock = new SimClock(0);
  const serial = new SimSerialPorts(clock);
  serial.plug('/dev/ttyUSB0');
  const losses: string[] = [];
  const machine = { serial, clock, timers: clock, random: new SeededRandom(1) };
  const source = new VeDirectSource('ve-direct', () => '/dev/ttyUSB0', machine);
  source.start(
    () => undefined,
    (reason) => losses.push(reason),
  );
  await clock.advance(60_000);
  assert.equal(losses.length, 1);
  assert.match(losses[0] as string, /silent/);
  source.stop();
});

test('a line on which something else than VE.Direct comes is told as that, not as silent', async () => {
  const clock = new SimClock(0);
  const serial = new SimSerialPorts(clock);
  const machine = { serial, clock, timers: clock, random: new SeededRandom(1) };
  serial.plug('/dev/ttyUSB0');
  const source = new VeDirectSource('ve-direct', () => '/dev/ttyUSB0', machine);
  const losses: string[] = [];
  source.start(
    () => undefined,
    (reason) => losses.push(reason),
  );
  clock.every(1_000, () =>
    serial.send('/dev/ttyUSB0', Buffer.from('$GPGGA,0924,0106.4,S,03645.1,E\r\n')),
  );
  await clock.advance(60_000);
  assert.deepEqual(losses, ['what comes is no VE.Direct: check which device is on this port']);
  source.stop();
});
