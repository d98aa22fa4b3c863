/** Why a class waits, word for word, as the log, the page and the region show it. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import {
  ALARM,
  BULK,
  LOG,
  type OpClass,
  PREVIEW,
  RECORD,
  TELEMETRY,
} from '../../../../src/model/class.ts';
import type { Budget } from '../../../../src/power/forecast/budget.ts';
import type { Deferral, Permission } from '../../../../src/power/govern/decision.ts';
import { deferralOf } from '../../../../src/power/govern/deferral.ts';
import { LINK_COSTS } from '../../../../src/power/govern/energy.ts';
import { DEADLINES_MS } from '../../../../src/power/backlog.ts';
import { HOUR_MS, LFP, MINUTE_MS } from '../support.ts';

type Told = Parameters<typeof deferralOf>[3];

const NOW_MS = 1_800_000_000_000;

/** A battery with nothing to spare, that rises through any level in two hours. */
const BUDGET: Budget = {
  capacityWh: 256,
  baseWatts: 3.2,
  alarmWh: 0,
  recordWh: 0,
  bulkWh: 0,
  spanMs: HOUR_MS,
  fullInMs: undefined,
  spillWh: 0,
  spillLowWh: 0,
  lowestPct: 0,
  lowestLowPct: 0,
  risesTo: () => 2 * HOUR_MS,
  fallsTo: () => undefined,
};

function told(opClass: OpClass, permission: Permission, more: Partial<Told>): Deferral {
  const socPct = more.socPct ?? 41;
  return deferralOf(opClass, permission, 1_000, {
    state: 'normal',
    link: LINK_COSTS.cellular,
    deadlinesMs: DEADLINES_MS,
    mains: false,
    budget: BUDGET,
    socPct,
    thresholds: LFP.percent,
    byHand: false,
    quotaUsedRatio: 0,
    quotaNextRatio: () => 0,
    level: { value: socPct, unit: 'percent', thresholds: LFP.percent },
    wallMs: NOW_MS,
    ...more,
  });
}

const SAYS: readonly (readonly [string, Deferral, Omit<Deferral, 'class'>])[] = [
  [
    'the reserve',
    told(ALARM, 'no', { state: 'critical', socPct: 10 }),
    { code: 'shutdown', reason: 'battery 10 % is down to the reserve' },
  ],
  [
    'the reserve, by volts',
    told(ALARM, 'no', { state: 'critical', socPct: 10, level: undefined }),
    { code: 'shutdown', reason: 'the battery is down to the reserve' },
  ],
  [
    'a shutdown, which ends',
    told(ALARM, 'no', { state: 'shutdown', socPct: 10 }),
    {
      code: 'shutdown',
      reason: `battery 10 % below ${LFP.percent.shutdown.resume} %`,
      untilMs: NOW_MS + 2 * HOUR_MS,
    },
  ],
  [
    'a quota',
    told(TELEMETRY, 'no', { quotaUsedRatio: 1 }),
    { code: 'quota', reason: "the month's bytes on cellular do not cover it" },
  ],
  [
    'no readings',
    told(TELEMETRY, 'ride', { state: 'unknown', budget: undefined }),
    { code: 'unknown-power', reason: 'too few fresh readings of the battery' },
  ],
  ['the log', told(LOG, 'ride', {}), { code: 'ride', reason: 'goes with the next session' }],
  [
    'what is kept for alarms',
    told(RECORD, 'ride', { state: 'critical', socPct: 15.6, link: LINK_COSTS.satellite }),
    {
      code: 'ride',
      reason: 'battery 16 %: what is left is for alarms',
      untilMs: NOW_MS + 2 * HOUR_MS,
    },
  ],
  [
    'previews in saver',
    told(PREVIEW, 'ride', { state: 'saver' }),
    { code: 'ride', reason: 'battery 41 % below 55 %', untilMs: NOW_MS + 2 * HOUR_MS },
  ],
  [
    'files in saver',
    told(BULK, 'no', { state: 'saver' }),
    { code: 'battery', reason: 'battery 41 % below 55 %', untilMs: NOW_MS + 2 * HOUR_MS },
  ],
  [
    'volts alone',
    told(BULK, 'no', {
      state: 'saver',
      level: { value: 13.04, unit: 'volts', thresholds: LFP.volts },
    }),
    { code: 'battery', reason: 'battery 13.0 V below 13.3 V' },
  ],
  [
    'nothing known',
    told(BULK, 'no', { state: 'saver', level: undefined }),
    { code: 'battery', reason: 'the battery is not known' },
  ],
  [
    'no sun in sight',
    told(RECORD, 'ride', { budget: { ...BUDGET, risesTo: () => undefined }, state: 'saver' }),
    { code: 'ride', reason: 'battery 41 % below 55 %' },
  ],
  [
    'a deadline',
    told(RECORD, 'deadline', { state: 'saver' }),
    {
      code: 'deadline',
      reason: 'energy is short, sent before it is late',
      untilMs: NOW_MS + DEADLINES_MS[RECORD] - 12 * MINUTE_MS - 1_000,
    },
  ],
  [
    'a wire',
    told(TELEMETRY, 'budget', { mains: true, link: LINK_COSTS.ethernet }),
    {
      code: 'budget',
      reason: 'gathering, each ethernet session costs 0.001 Wh',
      untilMs: NOW_MS + 1_000,
    },
  ],
];

test.each(SAYS)('%s', (_, { class: _class, ...deferral }, expected) => {
  assert.deepEqual(deferral, expected);
});
