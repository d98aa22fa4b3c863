/**
 * What the power brain is held to, as figures: each policy lives through the same weather and load, and ours is
 * measured against the others. Every line says what it compares, so that nobody has to believe a verdict.
 */
import { ALARM, type OpClass, RECORD, TELEMETRY } from '../../model/class.ts';
import { type Darkness, darknessOf } from './darkness.ts';
import type { Scenario } from '../scenario.ts';
import {
  type Course,
  type Evaluation,
  type Policy,
  type SitePreset,
  undisturbedCourse,
} from '../world/light-model.ts';

export interface Measure {
  readonly name: string;
  readonly value: number;
  /** The most that is allowed. */
  readonly limit: number;
  readonly holds: boolean;
  /** What the better of two reaches that know more or send less than any policy can: `oracle` and `deadlines`. */
  readonly best: number;
}

export type EvaluationByPolicy = Readonly<Record<Policy, Evaluation>>;

const DOWN_POINTS = 0.005;
const ALARM_POINTS = 0.02;
const LATE_POINTS = 0.01;
const ENERGY_RATIO = 0.5;

export function measuresOf(by: EvaluationByPolicy): Measure[] {
  const { never, hourly, oracle, deadlines, heliograph } = by;
  const measure = (name: string, of: (it: Evaluation) => number, limit: number): Measure => {
    const value = of(heliograph);
    const best = Math.min(of(oracle), of(deadlines));
    return { name, value, limit, holds: isWithin(value, limit), best };
  };
  const late =
    (opClass: OpClass) =>
    (it: Evaluation): number =>
      it.lateRatio[opClass];
  return [
    measure('site down', (it) => it.downRatio, never.downRatio + DOWN_POINTS),
    measure('alarms late', late(ALARM), oracle.lateRatio[ALARM] + ALARM_POINTS),
    measure('records late', late(RECORD), hourly.lateRatio[RECORD] + LATE_POINTS),
    measure('readings late', late(TELEMETRY), hourly.lateRatio[TELEMETRY] + LATE_POINTS),
    measure('Wh a day', (it) => it.radioWhPerDay, ENERGY_RATIO * hourly.radioWhPerDay),
  ];
}

/** What is told of such a miss. */
export const MISSED_BY_ALL = 'perfect foresight and the fewest sessions miss it, too';

/** Who knows the weather to come misses it, too, and who sends as seldom as deadlines let. */
export function isMissedByAll({ holds, best, limit }: Measure): boolean {
  return !holds && !isWithin(best, limit);
}

function isWithin(value: number, limit: number): boolean {
  return value <= limit + 1e-9;
}

/** What stands against holding the site's uptime and the deadlines of records at once. */
export type Attainable =
  | { readonly kind: 'yes' }
  /** The fewest sessions that keep the deadlines take the site down for longer than is allowed. */
  | { readonly kind: 'doubtful'; readonly fewest: Evaluation; readonly downRatioMax: number }
  /** The panel does not carry the site: it is off for most of the time whatever sync does, and shares are of little. */
  | { readonly kind: 'off'; readonly downRatio: number; readonly records: number }
  /** No policy can, whatever it knows. */
  | { readonly kind: 'no'; readonly darkness: Darkness };

/** Above this part of the time without power, without any sync, a site is no site. */
const OFF_RATIO = 0.5;

export function attainable(by: EvaluationByPolicy, course: Course, preset: SitePreset): Attainable {
  const { never, hourly, deadlines, heliograph } = by;
  const downRatioMax = never.downRatio + DOWN_POINTS;
  const darkness = darknessOf(course, preset, downRatioMax);
  const lateMax = hourly.lateRatio[RECORD] + LATE_POINTS;
  if (darkness !== undefined && darkness.recordsLateRatio > lateMax)
    return { kind: 'no', darkness };
  if (never.downRatio > OFF_RATIO)
    return { kind: 'off', downRatio: never.downRatio, records: heliograph.born[RECORD] };
  if (deadlines.downRatio <= downRatioMax) return { kind: 'yes' };
  return { kind: 'doubtful', fewest: deadlines, downRatioMax };
}

/** What a month's weather asks of the policy, and whether anybody could. */
export interface Verdict {
  readonly measures: readonly Measure[];
  readonly attainable: Attainable;
}

export function byPolicy(evaluations: readonly Evaluation[]): EvaluationByPolicy {
  const entries = evaluations.map((it) => [it.policy, it] as const);
  return Object.fromEntries(entries) as unknown as EvaluationByPolicy;
}

export function verdictOf(evaluations: readonly Evaluation[], scenario: Scenario): Verdict {
  const by = byPolicy(evaluations);
  const outlook = attainable(by, undisturbedCourse(scenario), scenario.preset);
  return { measures: measuresOf(by), attainable: outlook };
}

/** What stands against it, as a sentence; undefined where nothing does. */
export function darkText(outlook: Attainable): string | undefined {
  if (outlook.kind === 'yes') return undefined;
  const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;
  if (outlook.kind === 'doubtful') {
    const { fewest, downRatioMax } = outlook;
    return (
      `the fewest sessions that keep the deadlines, ${fewest.sessionsPerDay.toFixed(1)} a day, take the site down` +
      ` for ${percent(fewest.downRatio)} of the time; ${percent(downRatioMax)} are allowed.`
    );
  }
  if (outlook.kind === 'off') {
    return (
      `the panel does not carry this site: without any sync it is off for ${percent(outlook.downRatio)} of the time.` +
      ` What is late is a share of the ${outlook.records} records of the rest.`
    );
  }
  const { fromDay, toDay, spareWh, sessions, sessionsNeeded, recordsLateRatio } = outlook.darkness;
  return (
    `from day ${fromDay.toFixed(1)} to ${toDay.toFixed(1)} the sun leaves ${spareWh.toFixed(1)} Wh for sync, ${sessions} sessions,` +
    ` if the site shall not be down for longer than is allowed. Records need ${sessionsNeeded}:` +
    ` at least ${percent(recordsLateRatio)} of the month's would be late.`
  );
}
