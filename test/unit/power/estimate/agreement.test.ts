/** Two sources of one battery that cannot both be right: who is believed, and how people learn of it. */
import assert from 'node:assert/strict';
import { onTestFinished, test } from 'vitest';

import { SILENT_LOG } from '../../../../src/base/log.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import type { Reading } from '../../../../src/power/estimate/reading.ts';
import { PowerMonitor } from '../../../../src/power/monitor.ts';
import { probeRows } from '../../../../src/power/probe.ts';
import type { PowerSource } from '../../../../src/power/sources/source.ts';
import { BATTERY, CONFIG, MINUTE_MS } from '../support.ts';

type Figures = Omit<Reading, 'atMs' | 'quality'>;

interface Site {
  readonly clock: SimClock;
  readonly monitor: PowerMonitor;
  /** Lines of the sync log that tell of a fault. */
  readonly told: string[];
  /** What each source tells from now on; undefined: it is silent. */
  readonly tells: Map<string, Figures | undefined>;
}

function siteOf(tells: Site['tells']): Site {
  const clock = new SimClock(Date.UTC(2026, 2, 1));
  const told: string[] = [];
  const sources = [...tells.keys()].map((name): PowerSource => ({
    name,
    start: (onReading) => {
      clock.every(10_000, () => {
        const figures = tells.get(name);
        if (figures !== undefined) {
          onReading({ atMs: clock.monotonicMs(), quality: 'good', ...figures });
        }
      });
    },
    stop: () => undefined,
  }));
  const syncLog = {
    append: ({ event, why = '' }: { event: string; why?: string }): never => {
      if (event === 'fault') told.push(why);
      return undefined as never;
    },
  };
  const options = { clock, timers: clock, log: SILENT_LOG, config: CONFIG, syncLog };
  const monitor = PowerMonitor.open({ sources, ...options });
  onTestFinished(() => monitor.close());
  return { clock, monitor, told, tells };
}

function differing({ monitor, clock }: Site): unknown[] {
  return probeRows(monitor.probe(), clock.monotonicMs(), BATTERY)
    .filter(({ differsFrom }) => differsFrom !== undefined)
    .map(({ source, field, differsFrom }) => [source, field, differsFrom]);
}

test('the first in order is believed; the probe says so at once, faults and log when it lasts', async () => {
  const site = siteOf(
    new Map([
      ['bmv', { batteryVolts: 13.2, socRatio: 0.7 }],
      ['hat', { batteryVolts: 12.4, socRatio: 0.4 }],
    ]),
  );
  const { clock, monitor, told, tells } = site;
  await clock.advance(20_000);
  assert.deepEqual(differing(site), [
    ['hat', 'batteryVolts', 'bmv'],
    ['hat', 'socRatio', 'bmv'],
  ]);
  assert.deepEqual(monitor.faults(), []);
  await clock.advance(10 * MINUTE_MS);
  const { batteryV, socPct, source } = monitor.estimate();
  assert.deepEqual([batteryV, socPct, source], [13.2, 70, 'bmv']);
  const faults = monitor.faults();
  assert.deepEqual(
    faults.map(({ code, message }) => [code, message]),
    [
      [
        'power.sources-differ',
        'hat: a battery voltage of 12.40 V, but bmv stands before it in power.sources and is believed: 13.20 V',
      ],
      [
        'power.sources-differ',
        'hat: a state of charge of 40.0 %, but bmv stands before it in power.sources and is believed: 70.0 %',
      ],
    ],
  );
  assert.ok(clock.wallMs() - (faults[0]?.sinceMs ?? 0) >= 10 * MINUTE_MS);
  assert.equal(told.length, 2);
  assert.match(told[0] as string, /hat: a battery voltage of 12\.40 V.*put it first/);

  tells.set('hat', { batteryVolts: 13.1, socRatio: 0.65 });
  await clock.advance(10_000);
  assert.deepEqual([monitor.faults(), differing(site)], [[], []]);
});

test('cables, slow gauges, a moment, and a source that is silent or refused are no dispute', async () => {
  const site = siteOf(
    new Map<string, Figures | undefined>([
      ['bmv', { batteryVolts: 13.2, socRatio: 0.7, batteryAmps: 1 }],
      ['hat', { batteryVolts: 12.7, socRatio: 0.58, batteryAmps: -3 }],
    ]),
  );
  const { clock, monitor, tells } = site;
  const faultsAfter = async (minutes: number): Promise<string[]> => {
    await clock.advance(minutes * MINUTE_MS);
    return monitor.faults().map(({ code }) => code);
  };
  assert.deepEqual([await faultsAfter(15), differing(site)], [[], []]);
  tells.set('hat', { batteryVolts: 12.4 });
  assert.deepEqual(await faultsAfter(9), []);
  tells.set('hat', { batteryVolts: 13 });
  assert.deepEqual(await faultsAfter(2), []);
  tells.set('hat', { batteryVolts: 12.4 });
  assert.deepEqual(await faultsAfter(9), [], 'it began anew');
  tells.set('hat', undefined);
  assert.deepEqual(await faultsAfter(15), [], 'silent');
  tells.set('hat', { batteryVolts: 26 });
  assert.deepEqual(await faultsAfter(4), ['power.sensor-odd'], 'refused: that is another fault');
});
