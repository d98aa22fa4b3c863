/**
 * A day of a site as the bench sends it: 50 meters that each publish once a minute, give or take 3 s, with six numbers
 * in JSON of about 95 bytes. Values wander as meters' values do; one seed gives one day.
 */
import { utf8 } from '../../../base/bytes.ts';
import type { Random } from '../../../base/random.ts';
import { SeededRandom } from '../../../platform/sim/random.ts';

export const METERS = 50;
export const MINUTES = 1_440;

export interface MeterPublish {
  /** Wall milliseconds. */
  readonly atMs: number;
  readonly topic: string;
  readonly values: MeterValues;
  readonly payload: Uint8Array;
}

export interface MeterValues {
  readonly voltage: number;
  readonly current: number;
  readonly power: number;
  readonly energy: number;
  readonly frequency: number;
  readonly temperature: number;
}

const START_MS = 1_780_000_000_000;
const MINUTE_MS = 60_000;
const JITTER_MS = 3_000;
const SEED = 20_260_401;

/** All publishes of `minutes` minutes, in order of time. */
export function meterDay(minutes = MINUTES): MeterPublish[] {
  const random = new SeededRandom(SEED);
  const meters = Array.from({ length: METERS }, (_, index) => new Meter(index, random));
  const moments = meters.flatMap((meter) =>
    Array.from({ length: minutes }, (_, minute) => {
      const atMs = START_MS + minute * MINUTE_MS + Math.floor(random.fraction() * JITTER_MS);
      return { meter, atMs };
    }),
  );
  return moments
    .toSorted((a, b) => a.atMs - b.atMs)
    .map(({ meter, atMs }) => {
      const values = meter.read();
      return { atMs, topic: meter.topic, values, payload: utf8(JSON.stringify(values)) };
    });
}

class Meter {
  readonly topic: string;
  readonly #random: Random;
  #volts: number;
  #amps: number;
  #wattHours: number;
  #celsius: number;

  constructor(index: number, random: Random) {
    this.topic = `site/meters/m${String(index).padStart(2, '0')}/reading`;
    this.#random = random;
    this.#volts = 230 + 2 * this.#noise();
    this.#amps = 10 * random.fraction();
    this.#wattHours = Math.floor(1e6 * random.fraction());
    this.#celsius = 25 + 5 * this.#noise();
  }

  read(): MeterValues {
    this.#volts += 0.3 * this.#noise() + 0.02 * (230 - this.#volts);
    this.#amps = Math.max(0, this.#amps + 0.15 * this.#noise() + 0.01 * (5 - this.#amps));
    this.#celsius += 0.05 * this.#noise();
    const watts = 0.95 * this.#volts * this.#amps;
    this.#wattHours += Math.round(watts / 60);
    return {
      voltage: rounded(this.#volts, 1),
      current: rounded(this.#amps, 2),
      power: Math.round(watts),
      energy: this.#wattHours,
      frequency: rounded(50 + 0.02 * this.#noise(), 2),
      temperature: rounded(this.#celsius, 1),
    };
  }

  /** Normally distributed (Box and Muller). */
  #noise(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.#random.fraction()));
    return radius * Math.cos(2 * Math.PI * this.#random.fraction());
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
