/**
 * What energy is there to spend: a receding horizon of 36 hours, planned anew every quarter of an hour.
 * The battery's course is run through twice, with the median and with the low guess of the sun:
 *
 *   E(t+1) = min(C, E(t) + η·PV(t) − P_base)
 *
 * Headroom is what stays above a reserve at the lowest point before the battery is full again: what is spent
 * beyond that is missing at night. Energy that the battery could not take anyway is free.
 */
import type { HourAhead } from './forecast.ts';
import type { Step } from '../govern/thresholds.ts';

export const HORIZON_HOURS = 36;
const CHARGE_EFFICIENCY = 0.95;
const FULL_RATIO = 0.98;
const BULK_RESERVE_PERCENT = 25;
const HOUR_MS = 3_600_000;

export interface BudgetInput {
  readonly storedWh: number;
  readonly capacityWh: number;
  readonly baseWatts: number;
  readonly ahead: readonly HourAhead[];
  /** Percent below which alarms stop: no other class spends what lies under it. */
  readonly alarmsStopPct: number;
  /** Raised day by day where the battery keeps reaching its floor (`nextFloor`). */
  readonly floorPct: number;
}

export interface Budget {
  readonly capacityWh: number;
  /** What the site draws, sync aside. */
  readonly baseWatts: number;
  /** Wh that may be spent: on alarms, on records and telemetry, on previews and bulk. May be negative. */
  readonly alarmWh: number;
  readonly recordWh: number;
  readonly bulkWh: number;
  /** Until the battery is full by the median guess, or the horizon. */
  readonly spanMs: number;
  readonly fullInMs: number | undefined;
  /** Energy that the battery will not be able to take within the horizon. */
  readonly spillWh: number;
  /** The same by the low guess: what may be counted on. */
  readonly spillLowWh: number;
  /** Lowest charge on the way, in percent: by the median and by the low guess. */
  readonly lowestPct: number;
  readonly lowestLowPct: number;
  /** When the charge rises through each asked-for level, by the median guess. */
  risesTo(percent: number): number | undefined;
  /** When the charge falls below a level, by the median guess. */
  fallsTo(percent: number): number | undefined;
}

interface Course {
  /** Wh at the end of each hour. */
  readonly storedWh: readonly number[];
  readonly fullAfterHours: number | undefined;
  readonly spillWh: number;
}

export function planBudget(input: BudgetInput): Budget {
  const { capacityWh, storedWh } = input;
  const median = courseOf(input, (hour) => hour.medianWatts);
  const low = courseOf(input, (hour) => hour.lowWatts);
  const lowestWh = Math.min(storedWh, ...untilFull(median));
  const lowestLowWh = Math.min(storedWh, ...untilFull(low));
  const reserve = (percent: number): number => (percent / 100) * capacityWh;
  const hours = median.fullAfterHours ?? input.ahead.length;
  const percentOf = (wh: number): number => (100 * wh) / capacityWh;
  return {
    capacityWh,
    baseWatts: input.baseWatts,
    alarmWh: storedWh - reserve(input.alarmsStopPct),
    recordWh: lowestWh - reserve(Math.max(input.alarmsStopPct, input.floorPct)),
    bulkWh: lowestLowWh - reserve(Math.max(BULK_RESERVE_PERCENT, input.floorPct)),
    spanMs: Math.max(1, hours) * HOUR_MS,
    fullInMs: median.fullAfterHours === undefined ? undefined : median.fullAfterHours * HOUR_MS,
    spillWh: median.spillWh,
    spillLowWh: low.spillWh,
    lowestPct: percentOf(lowestWh),
    lowestLowPct: percentOf(lowestLowWh),
    risesTo: (percent) => crossing(median.storedWh, (wh) => percentOf(wh) >= percent),
    fallsTo: (percent) => crossing(median.storedWh, (wh) => percentOf(wh) < percent),
  };
}

/** Whether spending a session now takes nothing from the night: it would be spilled within four hours. */
export function isFree(budget: Budget, sessionWh: number): boolean {
  const { fullInMs, spillWh } = budget;
  return fullInMs !== undefined && fullInMs <= 4 * HOUR_MS && spillWh > 2 * sessionWh;
}

function courseOf(input: BudgetInput, wattsOf: (hour: HourAhead) => number): Course {
  const { capacityWh, baseWatts } = input;
  let wh = input.storedWh;
  let spillWh = 0;
  let fullAfterHours = wh >= FULL_RATIO * capacityWh ? 0 : undefined;
  const storedWh = input.ahead.map((hour, index) => {
    const pv = wattsOf(hour);
    const surplus = pv - baseWatts;
    const next = wh + (surplus > 0 ? CHARGE_EFFICIENCY * surplus : surplus);
    spillWh += Math.max(0, next - capacityWh);
    wh = Math.min(capacityWh, Math.max(0, next));
    if (wh >= FULL_RATIO * capacityWh) fullAfterHours ??= index + 1;
    return wh;
  });
  return { storedWh, fullAfterHours, spillWh };
}

function untilFull(course: Course): readonly number[] {
  return course.storedWh.slice(0, course.fullAfterHours ?? course.storedWh.length);
}

function crossing(
  storedWh: readonly number[],
  reached: (wh: number) => boolean,
): number | undefined {
  const index = storedWh.findIndex(reached);
  return index < 0 ? undefined : (index + 1) * HOUR_MS;
}

/**
 * The floor of the battery's life (Victron's BatteryLife): a day that reached the floor raises it by five
 * points, up to 80; a day that reached 85 % lowers it by five, one that reached 95 % by another five.
 */
export function nextFloor(
  floorPct: number,
  day: { lowestPct: number; highestPct: number },
  limits: Step,
): number {
  let next = floorPct;
  if (day.lowestPct <= floorPct) next += 5;
  if (day.highestPct >= 85) next -= 5;
  if (day.highestPct >= 95) next -= 5;
  return Math.min(limits.resume, Math.max(limits.pause, next));
}
