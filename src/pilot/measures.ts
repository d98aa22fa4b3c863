/**
 * What the power brain is held to, as figures: each policy lives through the same weather and load, and ours is
 * measured against the others. Every line says what it compares, so that nobody has to believe a verdict.
 */
import { ALARM, RECORD, TELEMETRY } from '../model/class.ts';
import { type Darkness, darknessOf } from './darkness.ts';
import type { Course, Evaluation, Policy, SitePreset } from './world/light-model.ts';

export interface Measure {
  readonly name: string;
  readonly value: number;
  /** The most that is allowed. */
  readonly limit: number;
  readonly holds: boolean;
}

export type EvaluationByPolicy = Readonly<Record<Policy, Evaluation>>;

const DOWN_POINTS = 0.005;
const ALARM_POINTS = 0.02;
const LATE_POINTS = 0.01;
const ENERGY_RATIO = 0.5;

export function measuresOf(by: EvaluationByPolicy): Measure[] {
  const { never, hourly, oracle, heliograph } = by;
  const measure = (name: string, value: number, limit: number): Measure => ({
    name,
    value,
    limit,
    holds: value <= limit + 1e-9,
  });
  return [
    measure('site down', heliograph.downRatio, never.downRatio + DOWN_POINTS),
    measure('alarms late', heliograph.lateRatio[ALARM], oracle.lateRatio[ALARM] + ALARM_POINTS),
    measure('records late', heliograph.lateRatio[RECORD], hourly.lateRatio[RECORD] + LATE_POINTS),
    measure(
      'readings late',
      heliograph.lateRatio[TELEMETRY],
      hourly.lateRatio[TELEMETRY] + LATE_POINTS,
    ),
    measure('Wh a day', heliograph.radioWhPerDay, ENERGY_RATIO * hourly.radioWhPerDay),
  ];
}

/** What stands against holding the site's uptime and the deadlines of records at once. */
export type Attainable =
  | { readonly kind: 'yes' }
  /** The fewest sessions that keep the deadlines take the site down for longer than is allowed. */
  | { readonly kind: 'doubtful' }
  /** No policy can, whatever it knows. */
  | { readonly kind: 'no'; readonly darkness: Darkness };

export function attainable(by: EvaluationByPolicy, course: Course, preset: SitePreset): Attainable {
  const { never, hourly, deadlines } = by;
  const darkness = darknessOf(course, preset, never.downRatio + DOWN_POINTS);
  const lateMax = hourly.lateRatio[RECORD] + LATE_POINTS;
  if (darkness !== undefined && darkness.recordsLateRatio > lateMax)
    return { kind: 'no', darkness };
  const isKept = deadlines.downRatio <= never.downRatio + DOWN_POINTS;
  return isKept ? { kind: 'yes' } : { kind: 'doubtful' };
}
