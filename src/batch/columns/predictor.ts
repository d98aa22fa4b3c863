/**
 * Predictions for the numbers of one series (COLUMNS.md §5). Both ends run the same plain IEEE 754 arithmetic, so
 * they predict alike; the writer looks at the series, chooses a way and says which.
 */
import { unreachable } from '../../base/assert.ts';
import type { BitCoder } from './bit-coder.ts';
import { type Memory, newMemory, type NumberModel } from './number-model.ts';

/** The last number again: states, set points, random walks. */
export const PREVIOUS = 0;
/** As far on as the last step went: smooth curves. */
export const LINEAR = 1;
/** A mean of about the last four, or sixteen: noise around a level. */
export const QUICK_MEAN = 2;
export const SLOW_MEAN = 3;
/** On by the mean step: meters that count up. */
export const DRIFT = 4;
/** On by as many milliseconds, or seconds, as the op's HLC: times of other clocks. */
export const FOLLOW_MS = 5;
export const FOLLOW_S = 6;
/** On by a fixed period, whatever the jitter around it: times of readings. */
export const SCHEDULE = 7;

export type Way = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

const SAFE = Number.MAX_SAFE_INTEGER;
/** Share of a new number in the running mean, once there are enough of them. */
const QUICK_SHARE = 1 / 4;
const SLOW_SHARE = 1 / 16;

function nearest(value: number): number {
  return Math.min(SAFE, Math.max(-SAFE, Math.floor(value + 0.5)));
}

export class Predictor {
  #way: Way = PREVIOUS;
  #period = 0;
  #share = 0;
  #count = 0;
  /** Before the first number: what is expected of it. */
  #last = 0;
  #lastReference = 0;
  /** LINEAR, DRIFT: step; means: level; SCHEDULE: the moment that the last number was due. */
  #state = 0;

  constructor(way: Way, start: number, period = 0) {
    this.restart(way, start, period);
  }

  /** Forgets everything, for another series. */
  restart(way: Way, start: number, period = 0): void {
    this.#way = way;
    this.#last = start;
    this.#period = period;
    this.#share = way === QUICK_MEAN ? QUICK_SHARE : SLOW_SHARE;
    this.#count = 0;
    this.#lastReference = 0;
    this.#state = 0;
  }

  next(reference: number): number {
    switch (this.#way) {
      case FOLLOW_MS:
        return nearest(this.#last + (reference - this.#lastReference));
      case FOLLOW_S:
        return nearest(this.#last + seconds(reference) - seconds(this.#lastReference));
      case PREVIOUS:
        return this.#last;
      case LINEAR:
      case DRIFT:
        return nearest(this.#last + this.#state);
      case QUICK_MEAN:
      case SLOW_MEAN:
        return this.#count === 0 ? this.#last : nearest(this.#state);
      case SCHEDULE:
        return this.#count === 0 ? this.#last : nearest(this.#state + this.#period);
      default:
        return unreachable(this.#way);
    }
  }

  learn(value: number, reference: number): void {
    this.#count += 1;
    if (this.#count === 1) {
      if (this.#way !== LINEAR && this.#way !== DRIFT) this.#state = value;
    } else if (this.#way === LINEAR) this.#state = value - this.#last;
    else if (this.#way === DRIFT) this.#approach(value - this.#last, this.#count - 1);
    else if (this.#way === SCHEDULE) this.#keepSchedule(value);
    else this.#approach(value, this.#count);
    this.#last = value;
    this.#lastReference = reference;
  }

  /** The mean of all at first, later one in which old numbers fade. */
  #approach(value: number, count: number): void {
    this.#state += (value - this.#state) * Math.max(this.#share, 1 / count);
  }

  /** Jitter moves the schedule a little; half a period and more, and it begins anew there. */
  #keepSchedule(value: number): void {
    const due = this.#state + this.#period;
    const late = value - due;
    this.#state = Math.abs(late) * 2 > this.#period ? value : due + late * this.#share;
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

/** Numbers of one series, each coded near its prediction. */
export class NumberStream {
  readonly #model: NumberModel;
  readonly #predictor: Predictor;
  readonly #memory: Memory = newMemory();

  constructor(model: NumberModel, predictor: Predictor) {
    this.#model = model;
    this.#predictor = predictor;
  }

  code(coder: BitCoder, value: number, reference: number): number {
    const prediction = this.#predictor.next(reference);
    const coded = this.#model.code(coder, this.#memory, prediction, value);
    this.#predictor.learn(coded, reference);
    return coded;
  }
}
