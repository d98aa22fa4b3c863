import assert from 'node:assert/strict';
import { test } from 'vitest';

import { isoTime } from '../../../src/base/iso-time.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SeededSky } from '../../../src/platform/sim/sky.ts';
import { SimSite, siteNow } from '../../../src/platform/sim/site.ts';
import type { Backlog } from '../../../src/power/backlog.ts';
import { PowerMonitor, type PowerMonitorOptions } from '../../../src/power/monitor.ts';
import { probeRows } from '../../../src/power/probe.ts';
import { simulatedSource, mainsSource } from '../../../src/power/sources/simulated.ts';
import type { PowerSource } from '../../../src/power/sources/source.ts';
import { pastSessions } from '../../../src/power/log/log-lines.ts';
import type { SyncLogEntry } from '../../../src/power/log/sync-log.ts';
import { BATTERY, backlogOf, CONFIG, HOUR_MS, MINUTE_MS } from './support.ts';

const NOON_MS = Date.parse('2026-03-20T12:00:00Z');

interface Rig {
  readonly clock: SimClock;
  readonly monitor: PowerMonitor;
  readonly lines: SyncLogEntry[];
  backlog: Backlog;
}

function rigOf(
  source: (clock: SimClock) => PowerSource,
  more: Partial<PowerMonitorOptions> = {},
): Rig {
  const clock = new SimClock(NOON_MS);
  const lines: SyncLogEntry[] = [];
  const append = (entry: SyncLogEntry): never => lines.push(entry) as never;
  const rig = { clock, lines, backlog: backlogOf({}) };
  const monitor = PowerMonitor.open({
    sources: [source(clock)],
    clock,
    timers: clock,
    log: SILENT_LOG,
    config: CONFIG,
    backlog: () => rig.backlog,
    syncLog: { append },
    ...more,
  });
  return Object.assign(rig, { monitor });
}

function fixedSource(clock: SimClock, socRatio: () => number | undefined): PowerSource {
  const measure = (): { socRatio?: number } => {
    const ratio = socRatio();
    return ratio === undefined ? {} : { socRatio: ratio };
  };
  return simulatedSource({ clock, timers: clock }, { measure });
}

test('a change of state is one line with the battery, the reason and the figures', async () => {
  const { clock, monitor, lines } = rigOf((it) => fixedSource(it, () => 0.41), {
    backlog: () => backlogOf({ 5: { oldestMs: HOUR_MS, bytes: 5_000 } }),
  });
  await clock.advance(HOUR_MS);
  assert.deepEqual(
    lines.map((line) => [line.event, line.state]),
    [['state', 'saver']],
  );
  const [line] = lines;
  assert.equal(line?.socPct, 41);
  assert.deepEqual(line?.allowed, ['alarm', 'command']);
  const { reason, until } = line?.deferred?.['bulk'] ?? {};
  assert.equal(reason, 'battery 41 % below 55 %');
  assert.match(
    until ?? '',
    /^2026-03-20T1[3-7]:/,
    'the sun of the equator fills it in the afternoon',
  );
  assert.deepEqual(line?.backlog, { bulk: { ops: 1, bytes: 5_000, oldestS: 3_600 } });
  assert.match(line?.why ?? '', /^files wait: battery 41 % below 55 %/);
  assert.equal(monitor.estimate().state, 'saver');
  assert.equal(monitor.estimate().socPct, 41);
});

test('an hour without change is an hour without lines, though the lines themselves wait', async () => {
  const rig = rigOf((it) => fixedSource(it, () => 0.7));
  const { clock, lines } = rig;
  await clock.advance(MINUTE_MS);
  const before = lines.length;
  rig.backlog = backlogOf({ 6: { oldestMs: MINUTE_MS } });
  await clock.advance(HOUR_MS);
  assert.equal(lines.length, before);
});

test('a source that is lost is a fault until it speaks again, and the state says unknown meanwhile', async () => {
  let there = true;
  const { clock, monitor } = rigOf((it) => ({
    name: 'flaky',
    start: (onReading, onLost) => {
      it.every(10_000, () => {
        if (there) onReading({ atMs: it.monotonicMs(), socRatio: 0.7, quality: 'good' });
        else onLost('pulled');
      });
    },
    stop: () => undefined,
  }));
  await clock.advance(5 * MINUTE_MS);
  assert.equal(monitor.decision().state, 'normal');
  there = false;
  await clock.advance(5 * MINUTE_MS);
  assert.equal(monitor.decision().state, 'unknown');
  assert.deepEqual(
    monitor.faults().map((it) => [it.code, it.message]),
    [['power.source-lost', 'flaky: pulled']],
  );
  there = true;
  await clock.advance(15 * MINUTE_MS);
  assert.deepEqual(monitor.faults(), []);
  assert.equal(monitor.decision().state, 'normal');
});

test('the sync log tells of a source that is lost or not believed, once an hour where it comes and goes', async () => {
  let told: { batteryVolts: number } | undefined = { batteryVolts: 13 };
  const { clock, lines } = rigOf((it) => ({
    name: 'bmv',
    start: (onReading, onLost) => {
      it.every(10_000, () => {
        if (told === undefined) onLost('pulled');
        else onReading({ atMs: it.monotonicMs(), ...told, socRatio: 0.7, quality: 'good' });
      });
    },
    stop: () => undefined,
  }));
  const faults = async (minutes: number, now: typeof told): Promise<string[]> => {
    const before = lines.length;
    told = now;
    await clock.advance(minutes * MINUTE_MS);
    return lines
      .slice(before)
      .filter(({ event }) => event === 'fault')
      .map(({ why = '' }) => why.split('. ')[0] as string);
  };
  assert.deepEqual(await faults(5, { batteryVolts: 13 }), []);
  const odd = 'bmv: a battery voltage of 26.10 V is not believed';
  assert.deepEqual(await faults(5, { batteryVolts: 26.1 }), [odd]);
  assert.deepEqual(await faults(5, { batteryVolts: 26.2 }), [], 'it goes on');
  assert.deepEqual(await faults(5, { batteryVolts: 13 }), []);
  assert.deepEqual(await faults(5, { batteryVolts: 26.1 }), [], 'it is known');
  assert.deepEqual(await faults(5, undefined), ['bmv: pulled']);
  assert.deepEqual(await faults(60, { batteryVolts: 13 }), []);
  assert.deepEqual(await faults(5, { batteryVolts: 26.1 }), [odd]);
});

test('a sensor that tells what cannot be is a fault, and the probe shows what is not believed', async () => {
  let volts = 26.1;
  const { clock, monitor } = rigOf((it) => ({
    name: 'bmv',
    start: (onReading) => {
      it.every(10_000, () =>
        onReading({ atMs: it.monotonicMs(), batteryVolts: volts, socRatio: 0.7, quality: 'good' }),
      );
    },
    stop: () => undefined,
  }));
  const startMs = clock.wallMs();
  await clock.advance(20_000);
  assert.deepEqual(monitor.faults(), [], 'once or twice is nothing');
  await clock.advance(MINUTE_MS);
  const [fault] = monitor.faults();
  assert.equal(fault?.code, 'power.sensor-odd');
  assert.equal(fault.message, 'bmv: a battery voltage of 26.10 V is not believed');
  assert.equal(fault.sinceMs - startMs, 10_000);
  const doubted = probeRows(monitor.probe(), clock.monotonicMs(), BATTERY).map(
    (row) => row.doubted,
  );
  assert.deepEqual(doubted, [true, undefined]);
  volts = 13.2;
  await clock.advance(10_000);
  const well = probeRows(monitor.probe(), clock.monotonicMs(), BATTERY).map((row) => row.doubted);
  assert.deepEqual(well, [undefined, undefined], 'what is told now is believed');
  assert.equal(monitor.faults().length, 1);
  await clock.advance(3 * MINUTE_MS);
  assert.deepEqual(monitor.faults(), []);
});

test('deciding for a fresh backlog does not wait for the tick and does not move the state', async () => {
  const { clock, monitor } = rigOf((it) => fixedSource(it, () => 0.7));
  await clock.advance(HOUR_MS);
  const old = backlogOf({ 3: { oldestMs: 23.5 * HOUR_MS } });
  assert.ok(monitor.decide(old).allowed.includes(3));
  assert.ok(!monitor.decision().allowed.includes(3));
});

test('what a radio draws for a moment after its session is not taken for the load of the site', async () => {
  const lowestAfter = async (tailWatts: number): Promise<number | undefined> => {
    let loadWatts = 3.2;
    const { clock, monitor } = rigOf((it) => ({
      name: 'bmv',
      start: (onReading) => {
        it.every(10_000, () =>
          onReading({
            atMs: it.monotonicMs(),
            socRatio: 0.5,
            pvWatts: 0,
            loadWatts,
            quality: 'good',
          }),
        );
      },
      stop: () => undefined,
    }));
    for (let session = 0; session < 12; session++) {
      await clock.advance(HOUR_MS);
      monitor.sessionOpened();
      await clock.advance(5_000);
      monitor.sessionClosed('satellite', { 0: 100 });
      loadWatts = tailWatts;
      await clock.advance(MINUTE_MS);
      loadWatts = 3.2;
    }
    await clock.advance(HOUR_MS);
    return monitor.budget()?.lowestPct;
  };
  assert.equal(await lowestAfter(60), await lowestAfter(3.2));
});

test('on mains the state is normal from the first moment', () => {
  const { monitor } = rigOf((it) => mainsSource({ clock: it, timers: it }));
  assert.equal(monitor.decision().state, 'normal');
});

test('sessions are booked: the first class pays for opening, each for its bytes', () => {
  const { monitor } = rigOf((it) => fixedSource(it, () => 0.7));
  const wh = monitor.sessionClosed('cellular', { 0: 500_000, 3: 1_500_000 });
  assert.ok(Math.abs(wh - (0.03 + (9 / 3_600) * 2)) < 1e-9);
  const today = monitor.energyToday();
  assert.equal(today.sessions, 1);
  assert.ok(today.byClass[0] > 0.03 && today.byClass[3] < 0.005);
});

test('what a day of sessions is thought to cost is the same by session, by class and after a restart', async () => {
  const source = (it: SimClock): PowerSource => fixedSource(it, () => 0.7);
  const { clock, monitor, lines } = rigOf(source);
  const carried = [{ 0: 500_000, 3: 1_500_000 }, {}, { 3: 700 }];
  for (const bytesByClass of carried) {
    await clock.advance(HOUR_MS);
    monitor.sessionOpened();
    const energyWh = monitor.sessionClosed('cellular', bytesByClass, 1_000);
    monitor.append({ event: 'session.close', energyWh, bytes: 1_000 });
  }
  const today = monitor.energyToday();
  const closing = lines.filter(({ event }) => event === 'session.close');
  assert.deepEqual(
    closing.map(({ whByClass }) => Object.keys(whByClass ?? {})),
    [['alarm', 'telemetry'], ['command'], ['telemetry']],
    'who only asks pays for an order',
  );
  const isNear = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9;
  assert.ok(isNear(sumOf(closing.map(({ energyWh }) => energyWh ?? 0)), today.energyWh));
  assert.ok(isNear(sumOf(Object.values(today.byClass)), today.energyWh));

  const told = closing.map((line) => ({
    ...line,
    at: isoTime(clock.wallMs()),
    clock: 'rtc' as const,
  }));
  const past = pastSessions(told);
  assert.equal(sumOf(past.map(({ linkBytes }) => linkBytes)), 3_000);
  const later = rigOf(source, { clock, pastSessions: past });
  assert.deepEqual(later.monitor.energyToday(), today);
  await clock.advance(24 * HOUR_MS);
  assert.equal(later.monitor.energyToday().sessions, 0);
});

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

test('a session is compared with the load that was measured meanwhile', async () => {
  let loadWatts: number | undefined = 3.2;
  const measure = (): { socRatio: number; loadWatts?: number } => ({
    socRatio: 0.7,
    ...(loadWatts === undefined ? {} : { loadWatts }),
  });
  const { clock, monitor, lines } = rigOf((it) =>
    simulatedSource({ clock: it, timers: it }, { measure }),
  );
  const session = async (watts: number | undefined, ms: number): Promise<unknown> => {
    monitor.sessionOpened();
    loadWatts = watts;
    await clock.advance(ms);
    loadWatts = 3.2;
    const energyWh = monitor.sessionClosed('satellite', { 0: 100 });
    monitor.append({ event: 'session.close', energyWh });
    return lines.at(-1)?.measuredWh;
  };
  await clock.advance(HOUR_MS);
  const drawn = (await session(23.2, 3 * MINUTE_MS)) as number;
  assert.ok(Math.abs(drawn - 1) < 0.1, `20 W for three minutes: ${drawn} Wh`);
  assert.equal(await session(23.2, 5_000), undefined, 'over before it could be measured');
  assert.equal(await session(undefined, 3 * MINUTE_MS), undefined, 'nobody measures the load');
  monitor.append({ event: 'batch.sent' });
  assert.equal(lines.at(-1)?.measuredWh, undefined);
  const { measured, sessions } = monitor.energyToday();
  assert.deepEqual([sessions, measured.sessions], [3, 1]);
  assert.ok(measured.energyWh >= 1 && Math.abs(measured.drawnWh - drawn) < 0.01);
});

test('a simulated day on a small battery: the state moves with the sun, a handful of times', async () => {
  const sky = new SeededSky({ latitude: 0, longitude: 0 }, 7);
  const options = { sky, panelWatts: 30, capacityWh: 60, nominalVolts: 12, baseWatts: 3.2 };
  let site: SimSite | undefined;
  const { clock, monitor, lines } = rigOf((it) => {
    site = new SimSite({ ...options, radioWatts: 0, startRatio: 0.8 }, it.wallMs());
    return simulatedSource({ clock: it, timers: it }, siteNow(site, it));
  });
  await clock.advance(20 * HOUR_MS);
  const states = new Set(lines.filter((line) => line.event === 'state').map((line) => line.state));
  assert.ok(states.has('saver') && states.has('normal'), [...states].join());
  assert.ok(lines.length < 40, `${lines.length} lines in a day`);
  monitor.close();
});

test('timers that are late by minutes never make a sensor that works unknown', async () => {
  const late = new SimClock(NOON_MS);
  const timers = { after: noTimer, every: noTimer, soon: noTimer };
  const source = simulatedSource({ clock: late, timers }, { measure: () => ({ socRatio: 0.7 }) });
  const { monitor } = rigOf(() => source, { clock: late });
  await late.advance(20 * MINUTE_MS);
  assert.equal(monitor.estimate().socPct, 70);
  assert.equal(monitor.estimate().ageS, 0);
  assert.equal(monitor.probe()[0]?.fields[0]?.atMs, 20 * MINUTE_MS);
});

function noTimer(): () => void {
  return () => undefined;
}
