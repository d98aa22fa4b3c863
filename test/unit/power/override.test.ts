/** What goes beyond the table: by hand, quota, budget, advice, and what is remembered. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import type { Backlog } from '../../../src/power/backlog.ts';
import { adviceOf } from '../../../src/power/govern/advice.ts';
import { type Budget, planBudget } from '../../../src/power/forecast/budget.ts';
import type { Decision } from '../../../src/power/govern/decision.ts';
import {
  decide,
  FIRST_MEMORY,
  type GovernorInput,
  type GovernorMemory,
} from '../../../src/power/govern/governor.ts';
import type { LinkKind } from '../../../src/power/govern/energy.ts';
import { PowerMonitor } from '../../../src/power/monitor.ts';
import type { LevelState } from '../../../src/power/govern/power-state.ts';
import { QuotaMeter } from '../../../src/power/govern/quota.ts';
import type { PowerSource } from '../../../src/power/sources/source.ts';
import { backlogOf, CONFIG, HOUR_MS, inputOf, MINUTE_MS } from './support.ts';

function memoryAt(state: LevelState, level: number): GovernorMemory {
  const samples = [{ atMs: 0, level, rich: false, charging: false }];
  return { power: { ...FIRST_MEMORY.power, state, known: state, unit: 'percent', samples } };
}

function decided(
  state: LevelState,
  level: number,
  more: Partial<GovernorInput>,
): ReturnType<typeof decide> {
  return decide(inputOf(level, 0, more), memoryAt(state, level));
}

const WAITING = backlogOf({
  2: { oldestMs: MINUTE_MS },
  3: { oldestMs: MINUTE_MS },
  5: { oldestMs: MINUTE_MS },
});

test('by hand everything goes, also from a low battery, but never from the reserve', () => {
  const byHand = { backlog: WAITING, byHandUntilMs: 30 * MINUTE_MS };
  assert.deepEqual(decided('critical', 18, byHand).allowed, [0, 1, 2, 3, 4, 5]);
  for (const [state, level] of [
    ['saver', 40],
    ['critical', 18],
  ] as const)
    assert.match(
      decided(state, level, byHand).why,
      /^sent by hand until T\+30m: everything goes \(/,
    );
  assert.match(decided('shutdown', 12, byHand).why, /nothing goes/);
  assert.deepEqual(decided('shutdown', 12, byHand).allowed, []);
  assert.deepEqual(decided('saver', 40, { ...byHand, byHandUntilMs: 0 }).allowed, [0, 1]);
});

test('at the reserve nothing goes, and the sentence says so before the state is shutdown', () => {
  for (const byHandUntilMs of [undefined, 30 * MINUTE_MS]) {
    const { allowed, why } = decided('critical', 14, { byHandUntilMs, budget: sunny(14, 2) });
    assert.deepEqual(allowed, []);
    assert.match(why, /^(sent by hand until T\+30m: )?nothing goes: .* \(battery 14 %\)$/);
  }
});

test('a quota that runs out stops bulk first, telemetry at its end, records never', () => {
  const old = backlogOf({
    2: { oldestMs: 6 * HOUR_MS },
    3: { oldestMs: 24 * HOUR_MS },
    5: { oldestMs: 160 * HOUR_MS },
  });
  assert.deepEqual(
    decided('normal', 70, { backlog: old, quotaUsedRatio: 0.5 }).allowed,
    [0, 1, 2, 3, 4, 5],
  );
  assert.deepEqual(
    decided('normal', 70, { backlog: old, quotaUsedRatio: 0.9 }).allowed,
    [0, 1, 2, 3],
  );
  const over = decided('normal', 70, { backlog: old, quotaUsedRatio: 1 });
  assert.deepEqual(over.allowed, [0, 1, 2]);
  assert.deepEqual(
    over.deferred.map((it) => it.code),
    ['quota', 'quota'],
  );
});

test('the meter turns with the month, forwards only', () => {
  const meter = new QuotaMeter({ cellular: 1_000 });
  const march = Date.parse('2026-03-31T23:59:00Z');
  meter.count('cellular', 500, march);
  meter.count('wifi', 9_000, march);
  assert.equal(meter.usedRatio('cellular', march), 0.5);
  assert.equal(meter.usedRatio('wifi', march), 0);
  assert.equal(meter.usedRatio('cellular', 0), 0.5, 'a clock in 1970 starts no new month');
  const again = new QuotaMeter({ cellular: 1_000 }, JSON.parse(JSON.stringify(meter.state)));
  assert.equal(again.usedRatio('cellular', march), 0.5);
  assert.equal(again.usedRatio('cellular', march + 2 * MINUTE_MS), 0);
});

test('a month that a lying clock began ends when a clock with a source says so; what was counted stays', () => {
  const march = Date.parse('2026-03-10T00:00:00Z');
  const meter = new QuotaMeter({ cellular: 1_000 });
  meter.count('cellular', 500, march);
  const lie = Date.parse('2099-01-01T00:00:00Z');
  assert.equal(meter.usedRatio('cellular', lie, false), 0.5, 'nobody has set that clock');
  const believed = new QuotaMeter({ cellular: 1_000 }, JSON.parse(JSON.stringify(meter.state)));
  believed.count('cellular', 100, lie);
  assert.equal(believed.usedRatio('cellular', lie), 0.1);
  assert.equal(believed.usedRatio('cellular', march), 0.6, 'back in March, nothing is forgiven');
  const april = Date.parse('2026-04-01T00:00:01Z');
  assert.equal(believed.usedRatio('cellular', april), 0, 'and April is a new month');
});

test('a file that would go beyond its share of the month is not begun, and takes nothing from readings', () => {
  const mib = 1 << 20;
  const at = (usedRatio: number, bytes: number): readonly number[] =>
    decided('normal', 70, {
      backlog: backlogOf({
        3: { oldestMs: 23.9 * HOUR_MS },
        5: { oldestMs: 100 * HOUR_MS, bytes },
      }),
      budget: undefined,
      quotaUsedRatio: usedRatio,
      quotaBytesMax: 10 * mib,
    }).riding;
  assert.ok(at(0.5, 2 * mib).includes(5));
  assert.ok(!at(0.7, 2 * mib).includes(5));
  assert.ok(at(0.7, 2 * mib).includes(3));
  assert.ok(at(0.3, 400 * mib).includes(5), 'no batch is that large');
});

test('what was counted is worth saving once a crash would forget much of it', () => {
  const meter = new QuotaMeter({ satellite: 10 << 20 });
  meter.count('satellite', 60_000, 0);
  assert.ok(!meter.isWorthSaving);
  meter.count('satellite', 6_000, 0);
  assert.ok(meter.isWorthSaving);
  meter.saved();
  assert.ok(!meter.isWorthSaving);
  assert.ok(!new QuotaMeter({}).isWorthSaving);
});

/** A budget of a battery at `percent` with `watts` of sun all day, from sunrise on. */
function sunny(percent: number, watts: number): Budget {
  const ahead = Array.from({ length: 36 }, (_, hour) => {
    const sun = hour % 24 < 10 ? watts : 0;
    return { wallMs: hour * HOUR_MS, medianWatts: sun, lowWatts: 0.6 * sun };
  });
  const figures = { capacityWh: 256, baseWatts: 3.2, alarmsStopPct: 15, floorPct: 15, ahead };
  return planBudget({ storedWh: 2.56 * percent, ...figures });
}

test('headroom that the sun refills shortens the wait; a dark forecast stretches it to the deadline', () => {
  const backlog = backlogOf({ 3: { oldestMs: 6 * HOUR_MS } });
  const link = { linkKind: 'satellite', backlog } as const;
  const fair = decide(inputOf(70, 0, { ...link, budget: sunny(70, 30) }), memoryAt('normal', 70));
  assert.ok(fair.allowed.includes(3));
  const dark = decide(inputOf(70, 0, { ...link, budget: sunny(70, 2) }), memoryAt('normal', 70));
  assert.ok(!dark.allowed.includes(3));
  const due = backlogOf({ 3: { oldestMs: 23.5 * HOUR_MS } });
  const late = { ...link, backlog: due, budget: sunny(70, 2) };
  assert.ok(decide(inputOf(70, 0, late), memoryAt('normal', 70)).allowed.includes(3));
});

test('critical: records keep their deadline where the charge is counted', () => {
  const backlog = backlogOf({ 2: { oldestMs: 5.9 * HOUR_MS } });
  const at = (percent: number, more: object): readonly number[] =>
    decide(inputOf(percent, 0, { backlog, ...more }), memoryAt('critical', percent)).allowed;
  assert.deepEqual(at(18, {}), [0, 1], 'without a forecast the table holds');
  const satellite = { linkKind: 'satellite' } as const;
  assert.deepEqual(at(18, { ...satellite, budget: sunny(18, 2) }), [0, 1, 2]);
  assert.deepEqual(
    at(15.2, { ...satellite, budget: sunny(15.2, 2) }),
    [],
    'but nothing breaks the reserve',
  );
});

test('before all is paused for too long, one last call lets records go, as late as can be', () => {
  const backlog = backlogOf({ 2: { oldestMs: HOUR_MS } });
  const at = (percent: number, linkKind: LinkKind, waits = backlog): readonly number[] =>
    decide(
      inputOf(percent, 0, { backlog: waits, linkKind, budget: sunny(percent, 2) }),
      memoryAt('critical', percent),
    ).allowed;
  assert.deepEqual(at(16.4, 'satellite'), [0, 1], 'there is energy for a later one');
  assert.deepEqual(at(16, 'satellite'), [0, 1, 2]);
  assert.deepEqual(at(15.4, 'cellular'), [0, 1, 2], 'a session that nobody would miss');
  assert.deepEqual(at(16.2, 'cellular'), [0, 1]);
  const waiting = (minutes: number): Backlog => backlogOf({ 2: { oldestMs: minutes * MINUTE_MS } });
  assert.deepEqual(at(15.2, 'cellular', waiting(7)), [0, 1, 2], 'again: little is left behind');
  assert.deepEqual(at(15.9, 'cellular', waiting(7)), [0, 1], 'the site lives on for 43 minutes');
  assert.deepEqual(at(15.9, 'cellular', waiting(22)), [0, 1, 2]);
  assert.deepEqual(at(16, 'cellular', waiting(25)), [0, 1, 2], 'also by a gauge of whole percents');
  assert.deepEqual(at(16, 'satellite', waiting(25)), [0, 1]);
});

test('a shutdown is told by the level at which it ends: higher where nobody knows whether the battery charges', () => {
  const budget: Budget = { ...sunny(15.2, 2), risesTo: (percent) => percent * MINUTE_MS };
  const backlog = backlogOf({ 0: { oldestMs: MINUTE_MS } });
  const input = inputOf(15.2, 0, { backlog, budget });
  const short = decide(input, memoryAt('shutdown', 15.2));
  assert.match(short.why, /battery 15 % below 16 %/);
  assert.equal(short.backAtMs, input.wallMs + 16 * MINUTE_MS);
  const { power } = memoryAt('shutdown', 15.2);
  const emptied = decide(input, { power: { ...power, drained: true } });
  assert.equal(emptied.backAtMs, short.backAtMs, 'the sun ends it at the same level');
  const samples = [{ atMs: 0, level: 15.2, rich: false, charging: undefined }];
  const long = decide(input, { power: { ...power, drained: true, samples } });
  assert.match(long.why, /battery 15 % below 25 %/);
  assert.equal(long.backAtMs, input.wallMs + 25 * MINUTE_MS);
});

test('the last session above the reserve is for alarms: records only ride along with them', () => {
  const backlog = backlogOf({ 0: { oldestMs: 0 }, 2: { oldestMs: 5.9 * HOUR_MS } });
  const at = (percent: number, more: object = {}): Decision =>
    decide(
      inputOf(percent, 0, {
        backlog,
        linkKind: 'satellite',
        budget: sunny(percent, 2),
        timeOf: () => '10:40',
        ...more,
      }),
      memoryAt('critical', percent),
    );
  assert.deepEqual(at(16).allowed, [0, 1, 2]);
  const kept = at(15.6);
  assert.deepEqual(kept.allowed, [0, 1]);
  assert.deepEqual(kept.riding, [0, 1, 2, 3]);
  assert.equal(
    kept.why,
    'records wait: battery 16 %: what is left is for alarms; alarms and commands go',
  );
  assert.deepEqual(
    at(15.6, { linkKind: 'cellular' }).allowed,
    [0, 1, 2],
    'a cheap link takes next to nothing',
  );
  assert.deepEqual(at(15.6, { byHandUntilMs: HOUR_MS }).allowed, [0, 1, 2, 3, 4, 5]);
});

test('in shutdown it says when it expects to be back, and when the site may be switched off', () => {
  const sun = decided('shutdown', 12, { budget: sunny(12, 30) });
  assert.equal(sun.readyToPowerOff, false);
  assert.equal(sun.backAtMs, sun.at + HOUR_MS, 'at 16 %');
  const emptied = memoryAt('shutdown', 12);
  const input = inputOf(12, 0, { budget: sunny(12, 30) });
  const after = decide(input, { power: { ...emptied.power, drained: true } });
  assert.equal(after.backAtMs, sun.backAtMs);
  assert.equal(after.readyToPowerOff, true, 'once emptied it does not flap around 10 %');
});

test('advice: thinner the lower the battery, and when the uplink is next expected', () => {
  const saver = adviceOf(decided('saver', 40, { backlog: WAITING }));
  const critical = adviceOf(decided('critical', 18, { backlog: WAITING }));
  assert.ok((saver.minIntervalS.telemetry ?? 0) < (critical.minIntervalS.telemetry ?? 0));
  assert.ok(saver.probeIntervalS < critical.probeIntervalS);
  assert.equal(saver.makePreviews, false);
  assert.ok((saver.nextUplinkMs ?? 0) > 1_800_000_000_000);
});

test('what the monitor learned survives a restart: the charge, less sure, and where the battery was', async () => {
  const clock = new SimClock(Date.parse('2026-03-01T00:00:00Z'));
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('/power');
  const open = (socRatio: number | undefined): PowerMonitor => {
    const source: PowerSource = {
      name: 'fixed',
      start: (onReading) => {
        clock.every(10_000, () => {
          const soc = socRatio === undefined ? {} : { socRatio };
          onReading({
            atMs: clock.monotonicMs(),
            batteryVolts: 13,
            batteryAmps: -0.2,
            quality: 'good',
            ...soc,
          });
        });
      },
      stop: () => undefined,
    };
    const stateFile = { files, path: '/power/learned.json' };
    return PowerMonitor.open({
      sources: [source],
      clock,
      timers: clock,
      log: SILENT_LOG,
      config: CONFIG,
      stateFile,
    });
  };
  const first = open(0.5);
  await clock.advance(HOUR_MS);
  assert.equal(first.decision().state, 'saver');
  first.close();
  assert.ok((files.read('/power/learned.json')?.length ?? 0) < 100 * 1_024);
  await clock.advance(HOUR_MS);
  const second = open(undefined);
  await clock.advance(5 * MINUTE_MS);
  const { socPct, socErrPct } = second.estimate();
  assert.ok(Math.abs((socPct ?? 0) - 50) < 2, `${socPct} %`);
  assert.ok((socErrPct ?? 0) >= 4);
  second.close();
  files.replace(
    '/power/learned.json',
    Buffer.from('{"version":1,"planner":7,"quota":[],"known":"purple"'),
  );
  open(0.7).close();
});

test('by hand is bounded, logged with who asked, and ends', async () => {
  const clock = new SimClock(Date.parse('2026-03-01T00:00:00Z'));
  const why: (string | undefined)[] = [];
  const source: PowerSource = {
    name: 'fixed',
    start: (onReading) => {
      clock.every(10_000, () =>
        onReading({ atMs: clock.monotonicMs(), socRatio: 0.4, quality: 'good' }),
      );
    },
    stop: () => undefined,
  };
  const syncLog = { append: (entry: { why?: string }): never => why.push(entry.why) as never };
  const monitor = PowerMonitor.open({
    sources: [source],
    clock,
    timers: clock,
    log: SILENT_LOG,
    config: CONFIG,
    syncLog,
    backlog: () => WAITING,
  });
  await clock.advance(15 * MINUTE_MS);
  assert.ok(!monitor.decision().allowed.includes(5));
  monitor.sendByHand(30 * MINUTE_MS, 'anna');
  assert.ok(monitor.decision().allowed.includes(5));
  assert.ok(why.includes('anna sends for 30 minutes'));
  await clock.advance(31 * MINUTE_MS);
  assert.ok(!monitor.decision().allowed.includes(5));
  monitor.close();
});
