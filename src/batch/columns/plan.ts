/**
 * The writer's choices: how each series is best predicted, judged by its first values (COLUMNS.md §5). Nothing
 * here is part of the format; a reader follows whatever was chosen.
 */
import {
  DRIFT,
  FOLLOW_MS,
  FOLLOW_S,
  LINEAR,
  Predictor,
  PREVIOUS,
  QUICK_MEAN,
  SCHEDULE,
  SLOW_MEAN,
  type Way,
} from './predictor.ts';
import type { TimePlan } from './rows.ts';
import type { SlotPlan } from './slot-stream.ts';
import { DOUBLE, orderOfSingle, POWERS_OF_TEN, SINGLE, TEXT } from './slot-value.ts';

/** Values of a series that the choice is made by. */
const SAMPLE = 160;
/** A number below cannot be a time since 1970 in seconds of this century. */
const TIME_LEAST = 900_000_000;
/** Doubles below have an exponent in their shortest text. */
const SHORT_LEAST = 1e-6;

interface Candidate {
  readonly way: Way;
  readonly period: number;
}

/** Bits, more or less, that the distances from the predictions would take. */
function costOf(
  { way, period }: Candidate,
  values: ArrayLike<number>,
  references: ArrayLike<number>,
): number {
  const first = values[0] as number;
  const predictor = new Predictor(way, first, period);
  predictor.learn(first, references[0] as number);
  let distances = 1;
  let bits = 0;
  for (let i = 1; i < values.length; i++) {
    const value = values[i] as number;
    const reference = references[i] as number;
    distances *= 1 + Math.abs(value - predictor.next(reference));
    predictor.learn(value, reference);
    if (distances > 1e200) {
      bits += Math.log2(distances);
      distances = 1;
    }
  }
  return bits + Math.log2(distances);
}

function best(
  candidates: readonly Candidate[],
  values: ArrayLike<number>,
  references: ArrayLike<number>,
): Candidate {
  let found = candidates[0] as Candidate;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const cost = costOf(candidate, values, references);
    if (cost < least) {
      least = cost;
      found = candidate;
    }
    if (cost === 0) break;
  }
  return found;
}

function plain(way: Way): Candidate {
  return { way, period: 0 };
}

const VALUE_WAYS = [PREVIOUS, LINEAR, QUICK_MEAN, SLOW_MEAN, DRIFT].map((way) => plain(way as Way));
const TIME_WAYS = [...VALUE_WAYS, plain(FOLLOW_MS), plain(FOLLOW_S)];
const STAMP_WAYS = [FOLLOW_MS, PREVIOUS, LINEAR, DRIFT].map((way) => plain(way as Way));

/** The columns of times of one series. */
export function planTimes(hlcMs: readonly number[], stampMs: readonly number[]): TimePlan {
  const times = hlcMs.slice(0, SAMPLE);
  const periods = likelyPeriods(times).map((period): Candidate => ({ way: SCHEDULE, period }));
  const time = best([plain(PREVIOUS), plain(LINEAR), plain(DRIFT), ...periods], times, times);
  const stamp = best(STAMP_WAYS, stampMs.slice(0, SAMPLE), times);
  return { way: time.way, periodMs: time.period, stampWay: stamp.way };
}

/** The usual step between times, as it is and rounded as people would set it; none where there is no usual step. */
function likelyPeriods(times: readonly number[]): number[] {
  if (times.length < 4) return [];
  const steps = times.slice(1).map((time, index) => time - (times[index] as number));
  const middle = steps.toSorted((a, b) => a - b)[steps.length >> 1] as number;
  if (middle < 2) return [];
  const usual = steps.filter((step) => step > middle / 2 && step < middle * 1.5);
  const mean = usual.reduce((sum, step) => sum + step, 0) / usual.length;
  const rounded = [1, 100, 1000, 60_000].map((unit) => Math.round(mean / unit) * unit);
  return [...new Set(rounded)].filter((period) => period > 0);
}

/** The values of one slot of one series: shapes and numbers as `SlotReader` found them. */
export interface SlotValues {
  readonly shapes: number[];
  readonly numbers: number[];
}

/**
 * Gives the values of a slot shapes that go together, each still standing for its own text: among 32-bit floats,
 * decimals that are some too; and decimals that are not exact at the scale of the others become texts.
 */
export function settleShapes(
  values: SlotValues,
  textOf: (number: number, shape: number) => number,
): void {
  const { shapes, numbers } = values;
  let singles = 0;
  let decimals = 0;
  let digits = 0;
  for (const shape of shapes) {
    if (shape === SINGLE) singles += 1;
    if (shape >= DOUBLE) continue;
    decimals += 1;
    if (shape > digits) digits = shape;
  }
  if (decimals === 0) return;
  for (let i = 0; i < shapes.length; i++) {
    const shape = shapes[i] as number;
    const number = numbers[i] as number;
    if (shape >= DOUBLE) continue;
    if (singles > decimals && isSingle(number, shape)) {
      shapes[i] = SINGLE;
      numbers[i] = orderOfSingle(number / (POWERS_OF_TEN[shape] as number));
    } else if (!canScale(number, shape, digits)) {
      shapes[i] = TEXT;
      numbers[i] = textOf(number, shape);
    }
  }
}

/** True where a decimal is the shortest text of a 32-bit float. */
function isSingle(number: number, shape: number): boolean {
  const value = number / (POWERS_OF_TEN[shape] as number);
  const isShortest = shape === 0 || number % 10 !== 0;
  return isShortest && Math.fround(value) === value && Math.abs(value) >= SHORT_LEAST;
}

/** True where a decimal can be scaled to `digits` digits and stay exact. */
function canScale(number: number, shape: number, digits: number): boolean {
  return Math.abs(number) * (POWERS_OF_TEN[digits - shape] as number) <= Number.MAX_SAFE_INTEGER;
}

/** How the values of a slot are best written. */
export function planSlot(values: SlotValues, hlcMs: readonly number[]): SlotPlan {
  const { shapes, numbers } = values;
  const counts = new Uint32Array(16);
  let digits = 0;
  let digitsLeast = 9;
  for (const shape of shapes) {
    if (shape < DOUBLE) {
      counts[0] = (counts[0] as number) + 1;
      if (shape > digits) digits = shape;
      if (shape < digitsLeast) digitsLeast = shape;
    } else counts[shape] = (counts[shape] as number) + 1;
  }
  if (counts[0] === 0) digitsLeast = 0;
  const usual = counts.indexOf(Math.max(...counts));
  if (usual === DOUBLE || usual === TEXT) return { usual, digits, digitsLeast, way: PREVIOUS };
  const sample: number[] = [];
  const times: number[] = [];
  for (let i = 0; i < shapes.length && sample.length < SAMPLE; i++) {
    const shape = shapes[i] as number;
    if (usual >= DOUBLE ? shape !== usual : shape >= DOUBLE) continue;
    const missing = usual >= DOUBLE ? 0 : digits - shape;
    sample.push((numbers[i] as number) * (POWERS_OF_TEN[missing] as number));
    times.push(hlcMs[i] as number);
  }
  const ways = (sample[0] as number) > TIME_LEAST ? TIME_WAYS : VALUE_WAYS;
  return { usual, digits, digitsLeast, way: best(ways, sample, times).way };
}
