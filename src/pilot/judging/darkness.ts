/**
 * What no policy can do, by bookkeeping alone. Energy that sync takes is missing later, until the battery is full and would
 * have spilt as much. So in any stretch of weather a policy can pay for no more sessions than what lies above the
 * battery's cut-off at the end without any sync, and what is spilt on the way, and what the site itself does not draw
 * while it is down, for as long as it may be. A session brings at most those records in time that were born within one
 * deadline before it; what the sessions of a stretch do not cover is late, whatever is clever.
 */
import { RECORD } from '../../model/class.ts';
import { DEADLINES_MS } from '../../power/backlog.ts';
import { LINK_COSTS } from '../../power/govern/energy.ts';
import { type Course, CUT_OFF_RATIO, type SitePreset } from '../world/light-model.ts';

export interface Darkness {
  readonly fromDay: number;
  readonly toDay: number;
  /** What is there for sync in the stretch, at most. */
  readonly spareWh: number;
  /** That this pays for, and that the records of the stretch would need. */
  readonly sessions: number;
  readonly sessionsNeeded: number;
  /** Of all records of the month, at least. */
  readonly recordsLateRatio: number;
}

const HOUR_MINUTES = 60;
const DEADLINE_HOURS = DEADLINES_MS[RECORD] / 3_600_000;

/** The stretch that costs most records; undefined where none has to be late. `downRatioMax` of the time may be without power. */
export function darknessOf(
  course: Course,
  preset: SitePreset,
  downRatioMax: number,
): Darkness | undefined {
  const { sessionWh } = LINK_COSTS[preset.link];
  const { storedWh, spiltWh, downHours } = byHour(course);
  const hours = storedWh.length;
  const downHoursMax = downRatioMax * hours;
  let worst: Darkness | undefined;
  for (let to = 1; to < hours; to++) {
    const aboveWh = (storedWh[to] as number) - CUT_OFF_RATIO * preset.capacityWh;
    let freeWh = aboveWh + (spiltWh[to] as number) + preset.baseWatts * downHoursMax;
    for (let from = to - 1; from >= 0; from--) {
      freeWh += (spiltWh[from] as number) - preset.baseWatts * (downHours[from] as number);
      const sessions = Math.max(0, Math.floor(freeWh / sessionWh));
      // One session more: the last records of the stretch may go behind its end. Who has no power makes none.
      const uncovered = to - from - (sessions + 1) * DEADLINE_HOURS - downHoursMax;
      const recordsLateRatio = uncovered / hours;
      if (recordsLateRatio <= (worst?.recordsLateRatio ?? 0)) continue;
      const sessionsNeeded = Math.floor((to - from) / DEADLINE_HOURS);
      const days = { fromDay: from / 24, toDay: to / 24 };
      worst = { ...days, spareWh: freeWh, sessions, sessionsNeeded, recordsLateRatio };
    }
  }
  return worst;
}

/** Stored at the end of each hour, spilt and down within it. */
function byHour({ storedWh, spiltWh, isOn }: Course): {
  readonly storedWh: number[];
  readonly spiltWh: number[];
  readonly downHours: number[];
} {
  const hours = Array.from({ length: Math.floor(storedWh.length / HOUR_MINUTES) }, (_, it) => it);
  const minutesOf = <T>(values: readonly T[], hour: number): readonly T[] =>
    values.slice(hour * HOUR_MINUTES, (hour + 1) * HOUR_MINUTES);
  return {
    storedWh: hours.map((hour) => minutesOf(storedWh, hour).at(-1) as number),
    spiltWh: hours.map((hour) => minutesOf(spiltWh, hour).reduce((sum, wh) => sum + wh, 0)),
    downHours: hours.map((hour) => minutesOf(isOn, hour).filter((on) => !on).length / HOUR_MINUTES),
  };
}
