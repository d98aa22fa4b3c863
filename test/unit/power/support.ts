/** Made estimates, backlogs and inputs for the tests of the power brain. */
import type { OpClass } from '../../../src/model/class.ts';
import { type Backlog, DEADLINES_MS, EMPTY_BACKLOG } from '../../../src/power/backlog.ts';
import { LINK_COSTS, type LinkKind } from '../../../src/power/govern/energy.ts';
import type { BatteryEstimate } from '../../../src/power/estimate/estimator.ts';
import type { GovernorInput } from '../../../src/power/govern/governor.ts';
import { powerConfigOf } from '../../../src/power/power-config.ts';
import { thresholdsFor } from '../../../src/power/govern/thresholds.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const LFP = thresholdsFor('lifepo4', 12);
export const CONFIG = powerConfigOf({
  chemistry: 'lifepo4',
  nominalV: 12,
  capacityWh: 256,
  panelW: 60,
  baseLoadW: 3.2,
  latitude: 0,
  longitude: 0,
});
export const BATTERY = { chemistry: 'lifepo4', nominalVolts: 12, capacityWh: 256 } as const;

/** An estimate as a healthy source gives it. */
export function estimateOf(
  socPct: number | undefined,
  nowMs: number,
  more: Partial<BatteryEstimate> = {},
): BatteryEstimate {
  const charge =
    socPct === undefined ? { socOrigin: 'none' } : { socPct, socErrPct: 3, socOrigin: 'source' };
  return {
    ...(charge as Pick<BatteryEstimate, 'socOrigin'>),
    mains: false,
    source: 'test',
    ageS: 0,
    readingAtMs: nowMs,
    suspects: [],
    ...more,
  };
}

export function backlogOf(
  parts: Partial<Record<OpClass, { oldestMs: number; bytes?: number }>>,
): Backlog {
  const backlog: Record<OpClass, Backlog[OpClass]> = { ...EMPTY_BACKLOG };
  for (const [opClass, part] of Object.entries(parts)) {
    backlog[Number(opClass) as OpClass] = {
      ops: 1,
      bytes: part.bytes ?? 200,
      oldestMs: part.oldestMs,
    };
  }
  return backlog;
}

export function inputOf(
  socPct: number | undefined,
  nowMs: number,
  more: Partial<GovernorInput> & { linkKind?: LinkKind } = {},
): GovernorInput {
  const { linkKind, ...rest } = more;
  return {
    nowMs,
    wallMs: 1_800_000_000_000 + nowMs,
    estimate: estimateOf(socPct, nowMs),
    backlog: EMPTY_BACKLOG,
    link: LINK_COSTS[linkKind ?? 'cellular'],
    thresholds: LFP,
    deadlinesMs: DEADLINES_MS,
    timeOf: (wallMs) => `T+${Math.round((wallMs - 1_800_000_000_000) / MINUTE_MS)}m`,
    ...rest,
  };
}
