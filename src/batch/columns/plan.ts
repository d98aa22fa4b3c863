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
const shapeCounts = new Uint32Array(16);
/** A number below cannot be a time since 1970 in seconds of this century. */
const TIME_LEAST = 900_000_000;
/** Doubles below have an exponent in their shortest text. */
const SHORT_LEAST = 1e-6;

interface Candidate {
  readonly way: Way;
  readonly period: number;
}

/** First values of a series or slot, and what they may follow: used by one choice after the other. */
const sample = new Float64Array(SAMPLE);
const references = new Float64Array(SAMPLE);
const predictor = new Predictor(PREVIOUS, 0);

/** Bits, more or less, that the distances from the predictions would take. */
function costOf(
  { way, period }: Candidate,
  values: Float64Array,
  follows: Float64Array,
  count: number,
): number {
  const first = values[0] as number;
  predictor.restart(way, first, period);
  predictor.learn(first, follows[0] as number);
  let distances = 1;
  let bits = 0;
  for (let i = 1; i < count; i++) {
    const value = values[i] as number;
    const reference = follows[i] as number;
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
  values: Float64Array,
  follows: Float64Array,
  count: number,
): Candidate {
  let found = candidates[0] as Candidate;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const cost = costOf(candidate, values, follows, count);
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
const CLOCK_WAYS = [PREVIOUS, LINEAR, DRIFT].map((way) => plain(way as Way));
const STAMP_WAYS = [FOLLOW_MS, PREVIOUS, LINEAR, DRIFT].map((way) => plain(way as Way));

/** The columns of times of one series, whose ops are the rows `members`. */
export function planTimes(
  hlcMs: Float64Array,
  stampMs: Float64Array,
  members: readonly number[],
): TimePlan {
  const count = Math.min(SAMPLE, members.length);
  for (let i = 0; i < count; i++) {
    sample[i] = stampMs[members[i] as number] as number;
    references[i] = hlcMs[members[i] as number] as number;
  }
  const periods = likelyPeriods(references.subarray(0, count));
  const schedules = periods.map((period): Candidate => ({ way: SCHEDULE, period }));
  const time = best([...CLOCK_WAYS, ...schedules], references, references, count);
  const stamp = best(STAMP_WAYS, sample, references, count);
  return { way: time.way, periodMs: time.period, stampWay: stamp.way };
}

/** The usual step between times, as it is and rounded as people would set it; none where there is no usual step. */
function likelyPeriods(times: Float64Array): number[] {
  if (times.length < 4) return [];
  const steps = times.slice(1);
  for (let i = 0; i < steps.length; i++) steps[i] = (steps[i] as number) - (times[i] as number);
  const middle = steps.toSorted()[steps.length >> 1] as number;
  if (middle < 2) return [];
  const usual = steps.filter((step) => step > middle / 2 && step < middle * 1.5);
  const mean = usual.reduce((sum, step) => sum + step, 0) / usual.length;
  const rounded = [1, 100, 1000, 60_000].map((unit) => Math.round(mean / unit) * unit);
  return [...new Set(rounded)].filter((period) => period > 0);
}

/** Shapes and numbers of all slots of a batch as `SlotReader` found them, body after body. */
export class SlotValues {
  shapes = new Uint8Array(4096);
  numbers = new Float64Array(4096);
  length = 0;

  add(shape: number, number: number): void {
    if (this.length === this.shapes.length) this.#grow();
    this.shapes[this.length] = shape;
    this.numbers[this.length] = number;
    this.length += 1;
  }

  #grow(): void {
    const shapes = new Uint8Array(this.length * 2);
    const numbers = new Float64Array(this.length * 2);
    shapes.set(this.shapes);
    numbers.set(this.numbers);
    this.shapes = shapes;
    this.numbers = numbers;
  }
}

/** The values of one slot of one series: those of its bodies that share a template. */
interface Slot {
  readonly values: SlotValues;
  /** Where the values of each body begin. */
  readonly starts: readonly number[];
  /** The rows that the bodies belong to. */
  readonly rows: readonly number[];
  /** Which of a body's slots. */
  readonly index: number;
}

/**
 * Gives the values of a slot shapes that go together, each still standing for its own text: among 32-bit floats,
 * decimals that are some too; and decimals that are not exact at the scale of the others become texts.
 */
export function settleShapes(
  { values: { shapes, numbers }, starts, index }: Slot,
  textOf: (number: number, shape: number) => number,
): void {
  let singles = 0;
  let decimals = 0;
  let digits = 0;
  for (const start of starts) {
    const shape = shapes[start + index] as number;
    if (shape === SINGLE) singles += 1;
    if (shape >= DOUBLE) continue;
    decimals += 1;
    if (shape > digits) digits = shape;
  }
  if (decimals === 0) return;
  for (const start of starts) {
    const at = start + index;
    const shape = shapes[at] as number;
    const number = numbers[at] as number;
    if (shape >= DOUBLE) continue;
    if (singles > decimals && isSingle(number, shape)) {
      shapes[at] = SINGLE;
      numbers[at] = orderOfSingle(number / (POWERS_OF_TEN[shape] as number));
    } else if (!canScale(number, shape, digits)) {
      shapes[at] = TEXT;
      numbers[at] = textOf(number, shape);
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

/** How the values of a slot are best written; `hlcMs` are the times of all rows. */
export function planSlot(slot: Slot, hlcMs: Float64Array): SlotPlan {
  const { values, starts, rows, index } = slot;
  const { shapes, numbers } = values;
  shapeCounts.fill(0);
  let digits = 0;
  let digitsLeast = 9;
  for (const start of starts) {
    const shape = shapes[start + index] as number;
    const counted = shape < DOUBLE ? 0 : shape;
    shapeCounts[counted] = (shapeCounts[counted] as number) + 1;
    if (shape >= DOUBLE) continue;
    if (shape > digits) digits = shape;
    if (shape < digitsLeast) digitsLeast = shape;
  }
  if (shapeCounts[0] === 0) digitsLeast = 0;
  const usual = shapeCounts.indexOf(Math.max(...shapeCounts));
  if (usual === DOUBLE || usual === TEXT) return { usual, digits, digitsLeast, way: PREVIOUS };
  let count = 0;
  for (let i = 0; i < starts.length && count < SAMPLE; i++) {
    const at = (starts[i] as number) + index;
    const shape = shapes[at] as number;
    if (usual >= DOUBLE ? shape !== usual : shape >= DOUBLE) continue;
    const missing = usual >= DOUBLE ? 0 : digits - shape;
    sample[count] = (numbers[at] as number) * (POWERS_OF_TEN[missing] as number);
    references[count] = hlcMs[rows[i] as number] as number;
    count += 1;
  }
  const ways = (sample[0] as number) > TIME_LEAST ? TIME_WAYS : VALUE_WAYS;
  return { usual, digits, digitsLeast, way: best(ways, sample, references, count).way };
}
