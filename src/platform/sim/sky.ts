/**
 * A simulated sky: the sun's height by the textbook formula and weather from one seed. On purpose not the
 * formulas that the hub forecasts with: the hub must not be right because both make the same mistake.
 *
 * Weather is a clearness for each day that remembers the day before (bright, mixed and dark spells of a few
 * days, now and then a dark week) and clouds that pass within the day. Its figures are held to measured series:
 * "tomorrow as today" is wrong by 22 % of a day's energy (12 to 23 % at seven real sites), a fifth of the days has
 * less than half of its clear sky, and five dark days in a row come once or twice a year.
 */
import { SeededRandom } from './random.ts';

export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

/** Irradiance on the flat, W/m², by wall clock. */
export interface Sky {
  ghiWm2(wallMs: number): number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const CLOUD_MS = 10 * 60_000;
const RADIANS = Math.PI / 180;

/** Sine of the sun's height over the horizon, negative at night (declination by Cooper, no equation of time). */
export function sunHeightSine(wallMs: number, place: Place): number {
  const dayOfYear = (wallMs / DAY_MS) % 365.2425;
  const declination = 23.45 * RADIANS * Math.sin((2 * Math.PI * (284 + dayOfYear)) / 365);
  const solarHours = ((wallMs % DAY_MS) + DAY_MS) / HOUR_MS + place.longitude / 15;
  const hourAngle = ((solarHours % 24) - 12) * 15 * RADIANS;
  const latitude = place.latitude * RADIANS;
  return (
    Math.sin(latitude) * Math.sin(declination) +
    Math.cos(latitude) * Math.cos(declination) * Math.cos(hourAngle)
  );
}

/** Irradiance without clouds: Meinel's beam through the air mass, and a tenth of the full beam scattered, however low the sun. */
export function cloudlessWm2(wallMs: number, place: Place): number {
  const sine = sunHeightSine(wallMs, place);
  if (sine <= 0.01) return 0;
  const airMass = 1 / (sine + 0.50572 * (Math.asin(sine) / RADIANS + 6.07995) ** -1.6364);
  return 1_353 * 0.7 ** (airMass ** 0.678) * (sine + 0.1);
}

/** How likely tomorrow is dark, mixed or bright after each kind of day; spells last a few days. */
const NEXT_DAY: Readonly<Record<DayKind, readonly [dark: number, mixed: number]>> = {
  dark: [0.55, 0.4],
  mixed: [0.1, 0.55],
  bright: [0.03, 0.3],
};
type DayKind = 'dark' | 'mixed' | 'bright';

const CLEARNESS: Readonly<Record<DayKind, readonly [low: number, high: number]>> = {
  dark: [0.15, 0.45],
  mixed: [0.5, 0.85],
  bright: [0.8, 1],
};

export class SeededSky implements Sky {
  readonly #place: Place;
  readonly #random: SeededRandom;
  readonly #seed: number;
  /** Days from the first asked for on, at most as many as the simulation has. */
  readonly #days: { kind: DayKind; clearness: number }[] = [];
  #firstDay: number | undefined;

  constructor(place: Place, seed: number) {
    this.#place = place;
    this.#seed = seed;
    this.#random = new SeededRandom(seed).fork('sky');
  }

  ghiWm2(wallMs: number): number {
    const cloudless = cloudlessWm2(wallMs, this.#place);
    if (cloudless === 0) return 0;
    const { kind, clearness } = this.#dayAt(wallMs);
    const spread = kind === 'mixed' ? 0.9 : kind === 'dark' ? 0.5 : 0.12;
    const clouds = 1 + spread * (this.#cloudAt(wallMs) - 0.5);
    return cloudless * Math.min(1.05, Math.max(0.03, clearness * clouds));
  }

  #dayAt(wallMs: number): { kind: DayKind; clearness: number } {
    const day = Math.floor((wallMs + (this.#place.longitude / 360) * DAY_MS) / DAY_MS);
    this.#firstDay ??= day;
    const index = Math.max(0, day - this.#firstDay);
    while (this.#days.length <= index) this.#days.push(this.#nextDay(this.#days.at(-1)?.kind));
    return this.#days[index] as { kind: DayKind; clearness: number };
  }

  #nextDay(before: DayKind | undefined): { kind: DayKind; clearness: number } {
    const [dark, mixed] = NEXT_DAY[before ?? 'bright'];
    const die = this.#random.fraction();
    const kind: DayKind = die < dark ? 'dark' : die < dark + mixed ? 'mixed' : 'bright';
    const [low, high] = CLEARNESS[kind];
    return { kind, clearness: low + (high - low) * this.#random.fraction() };
  }

  /** Clouds in [0, 1], smooth between moments ten minutes apart. */
  #cloudAt(wallMs: number): number {
    const step = Math.floor(wallMs / CLOUD_MS);
    const part = (wallMs - step * CLOUD_MS) / CLOUD_MS;
    return this.#dice(step) * (1 - part) + this.#dice(step + 1) * part;
  }

  #dice(step: number): number {
    return new SeededRandom((this.#seed ^ Math.imul(step, 0x9e3779b1)) >>> 0).fraction();
  }
}
