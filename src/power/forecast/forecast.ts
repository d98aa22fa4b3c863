/**
 * How much sun the site will have: clear sky × the site's own response × clearness.
 *
 * - The response, by hour of the solar day, is learned from the site's own panel and captures tilt, shade and
 *   dust; it follows the clear hours (up fast, down slowly), and only hours in which nothing was curtailed count.
 * - Clearness is what the clouds left: a day's yield over what its clear sky would have given. The day ahead is
 *   guessed from yesterday and the last two weeks, the rest of today also from the last two hours.
 * - The low guess, missed on about one day in five, scales by how wrong the guesses of the last month were.
 *
 * Works from the first hour on with the panel's rating, and without any panel data from the battery's own
 * rise. Pure: observations carry their time; the state is a small JSON value that survives restarts.
 */
import { clearSkyWm2, type Place, solarHours } from './sun.ts';

export interface SolarSite extends Place {
  readonly panelWatts: number;
  readonly baseLoadWatts: number;
}

export interface SolarObservation {
  readonly wallMs: number;
  readonly pvWatts?: number;
  readonly curtailed?: boolean;
  /** Energy in the battery, where known: stands in for a panel that nobody measures. */
  readonly storedWh?: number;
  readonly loadWatts?: number;
}

export interface ForecastState {
  readonly version: 1;
  /** W of the panel per W/m² of clear sky, by solar hour. */
  readonly response: readonly number[];
  /** Clearness of the last days, oldest first. */
  readonly clearness: readonly number[];
  /** Measured over guessed, of the last days. */
  readonly errors: readonly number[];
  readonly loadWatts: number;
}

/** Expected power of the panel in one hour. */
export interface HourAhead {
  readonly wallMs: number;
  readonly medianWatts: number;
  readonly lowWatts: number;
}

interface HourBin {
  readonly hour: number;
  clearWattMs: number;
  pvWattMs: number;
  coveredMs: number;
  curtailedMs: number;
  firstStored: { atMs: number; wh: number } | undefined;
  lastStored: { atMs: number; wh: number } | undefined;
}

interface DaySums {
  readonly day: number;
  readonly guess: number;
  measured: number;
  modelled: number;
  /** Measured and modelled yield of the closed daylight hours, newest last. */
  recent: { measured: number; modelled: number }[];
}

const HOUR_MS = 3_600_000;
/** Rated watts at 1,000 W/m², less what heat, wiring and charger take. */
const DEFAULT_RESPONSE_RATIO = 0.75;
/** Of the way to what an hour shows: a clear hour tells what the site can do, a dull one little. */
const RISE = 0.5;
const FALL = 0.03;
/** A response beyond these parts of the rating is a fault of a sensor, or snow that will melt. */
const RESPONSE_RATIO_MAX = 1.2;
const RESPONSE_RATIO_MIN = 0.05;
/** Held back for longer than this part of an hour, a panel does not show what it could have given. */
const CURTAILED_RATIO_MAX = 0.05;
/** Edges of clouds outshine a clear sky for an hour, and hardly for a day. */
const CLEARNESS_MAX = 1.1;
/** What yesterday counts against the mean of two weeks, and the last two hours against the day ahead: best on seven measured series. */
const YESTERDAY_WEIGHT = 0.35;
const RECENT_WEIGHT = 0.6;
const CLEARNESS_DAYS = 14;
const ERROR_DAYS = 30;
const PRIOR_CLEARNESS = [0.6, 0.6, 0.6];
const PRIOR_ERRORS = [0.5, 0.75, 1, 1.2, 1.4];
const LOW_QUANTILE = 0.2;
/** A gap between observations longer than this is not bridged. */
const GAP_MS_MAX = 10 * 60_000;
/** Hours with less clear sky than this teach nothing. */
const DUSK_WM2 = 40;
/** Part of a clear day's yield that must have been measured for the day to count. */
const DAY_COVERED_RATIO = 0.15;
const LOAD_SMOOTHING_MS = 12 * HOUR_MS;

export class SolarForecast {
  readonly #site: SolarSite;
  readonly #response: number[];
  #clearness: number[];
  #errors: number[];
  #loadWatts: number;
  #bin: HourBin | undefined;
  #today: DaySums | undefined;
  #lastMs: number | undefined;

  constructor(site: SolarSite, saved?: ForecastState) {
    const standard = (site.panelWatts * DEFAULT_RESPONSE_RATIO) / 1_000;
    this.#site = site;
    this.#response = Array.from({ length: 24 }, (_, hour) => saved?.response[hour] ?? standard);
    this.#clearness = [...(saved?.clearness ?? PRIOR_CLEARNESS)];
    this.#errors = [...(saved?.errors ?? PRIOR_ERRORS)];
    this.#loadWatts = saved?.loadWatts ?? site.baseLoadWatts;
  }

  get state(): ForecastState {
    return {
      version: 1,
      response: this.#response,
      clearness: this.#clearness,
      errors: this.#errors,
      loadWatts: this.#loadWatts,
    };
  }

  /** What the site draws, sync aside: learned where the load is measured, else as configured. */
  get loadWatts(): number {
    return this.#loadWatts;
  }

  /** Takes what is measured now; observations come at least every ten minutes, or the time between is lost. */
  observe(observation: SolarObservation): void {
    const { wallMs } = observation;
    const elapsedMs = wallMs - (this.#lastMs ?? wallMs);
    this.#lastMs = wallMs;
    const hour = Math.floor(solarHours(wallMs, this.#site));
    if (this.#bin !== undefined && this.#bin.hour !== hour) this.#closeHour(this.#bin);
    if (this.#today !== undefined && this.#today.day !== Math.floor(hour / 24)) {
      this.#closeDay(this.#today);
      this.#today = undefined;
    }
    if (this.#bin?.hour !== hour) this.#bin = emptyBin(hour);
    if (elapsedMs <= 0 || elapsedMs > GAP_MS_MAX) return;
    this.#gather(this.#bin, observation, elapsedMs);
    if (observation.loadWatts === undefined) return;
    const weight = elapsedMs / LOAD_SMOOTHING_MS;
    this.#loadWatts += weight * (observation.loadWatts - this.#loadWatts);
  }

  #gather(bin: HourBin, observation: SolarObservation, elapsedMs: number): void {
    const { wallMs, pvWatts, curtailed, storedWh } = observation;
    bin.clearWattMs += clearSkyWm2(wallMs, this.#site) * elapsedMs;
    if (pvWatts !== undefined) {
      bin.pvWattMs += pvWatts * elapsedMs;
      bin.coveredMs += elapsedMs;
    }
    if (curtailed === true) bin.curtailedMs += elapsedMs;
    if (storedWh === undefined) return;
    bin.firstStored ??= { atMs: wallMs, wh: storedWh };
    bin.lastStored = { atMs: wallMs, wh: storedWh };
  }

  #closeHour(bin: HourBin): void {
    const day = Math.floor(bin.hour / 24);
    this.#today ??= { day, guess: this.#dayAhead(), measured: 0, modelled: 0, recent: [] };
    const clearWm2 = bin.clearWattMs / HOUR_MS;
    const watts = this.#measuredWatts(bin);
    if (
      clearWm2 < DUSK_WM2 ||
      watts === undefined ||
      bin.curtailedMs > CURTAILED_RATIO_MAX * HOUR_MS
    )
      return;
    const index = ((bin.hour % 24) + 24) % 24;
    const rated = this.#site.panelWatts / 1_000;
    const ratio = Math.min(watts / clearWm2, RESPONSE_RATIO_MAX * rated);
    const response = this.#response[index] as number;
    const learned = response + (ratio > response ? RISE : FALL) * (ratio - response);
    const kept = Math.max(learned, RESPONSE_RATIO_MIN * rated);
    this.#response[index] = kept;
    const modelled = kept * clearWm2;
    this.#today.measured += watts;
    this.#today.modelled += modelled;
    this.#today.recent = [...this.#today.recent.slice(-1), { measured: watts, modelled }];
  }

  /** Mean watts of the panel in an hour; where nobody measures it, what the battery and the load took. */
  #measuredWatts(bin: HourBin): number | undefined {
    if (bin.coveredMs > HOUR_MS / 2) return bin.pvWattMs / bin.coveredMs;
    const { firstStored, lastStored } = bin;
    if (firstStored === undefined || lastStored === undefined) return undefined;
    const hours = (lastStored.atMs - firstStored.atMs) / HOUR_MS;
    if (hours < 0.5) return undefined;
    return Math.max(0, (lastStored.wh - firstStored.wh) / hours + this.#loadWatts);
  }

  #closeDay(today: DaySums): void {
    if (today.modelled < DAY_COVERED_RATIO * this.#modelledDayWh(today.day)) return;
    const clearness = Math.min(CLEARNESS_MAX, today.measured / today.modelled);
    this.#clearness = [...this.#clearness, clearness].slice(-CLEARNESS_DAYS);
    this.#errors = [...this.#errors, clearness / today.guess].slice(-ERROR_DAYS);
  }

  #modelledDayWh(day: number): number {
    const { longitude } = this.#site;
    let sum = 0;
    for (let hour = 0; hour < 24; hour++) {
      const wallMs = (24 * day + hour + 0.5 - longitude / 15) * HOUR_MS;
      sum += clearSkyWm2(wallMs, this.#site) * (this.#response[hour] as number);
    }
    return sum;
  }

  /** Clearness expected for a day of which nothing is known yet; today counts by as much of it as has passed. */
  #dayAhead(): number {
    const mean = this.#clearness.reduce((sum, it) => sum + it, 0) / this.#clearness.length;
    return YESTERDAY_WEIGHT * this.#lastClearness() + (1 - YESTERDAY_WEIGHT) * mean;
  }

  #lastClearness(): number {
    const yesterday = this.#clearness.at(-1) as number;
    const today = this.#today;
    if (today === undefined || today.modelled <= 0) return yesterday;
    const passed = Math.min(1, today.modelled / this.#modelledDayWh(today.day));
    const soFar = Math.min(CLEARNESS_MAX, today.measured / today.modelled);
    return passed * soFar + (1 - passed) * yesterday;
  }

  #restOfDay(dayAhead: number): number {
    const recent = this.#today?.recent ?? [];
    const modelled = recent.reduce((sum, it) => sum + it.modelled, 0);
    if (modelled <= 0) return dayAhead;
    const measured = recent.reduce((sum, it) => sum + it.measured, 0);
    const clearness = Math.min(CLEARNESS_MAX, measured / modelled);
    return RECENT_WEIGHT * clearness + (1 - RECENT_WEIGHT) * dayAhead;
  }

  /** The hours from now on; the first is what is left of the running one. */
  ahead(wallMs: number, hours: number): HourAhead[] {
    const low = this.#lowFactor();
    const thisDay = Math.floor(solarHours(wallMs, this.#site) / 24);
    const dayAhead = this.#dayAhead();
    const rest = this.#today?.day === thisDay ? this.#restOfDay(dayAhead) : dayAhead;
    return Array.from({ length: hours }, (_, index) => {
      const middleMs = wallMs + (index + 0.5) * HOUR_MS;
      const solar = solarHours(middleMs, this.#site);
      const hour = ((Math.floor(solar) % 24) + 24) % 24;
      const clear = clearSkyWm2(middleMs, this.#site) * (this.#response[hour] as number);
      const clearness = Math.floor(solar / 24) === thisDay ? rest : dayAhead;
      const medianWatts = clear * clearness;
      return { wallMs: wallMs + index * HOUR_MS, medianWatts, lowWatts: medianWatts * low };
    });
  }

  /** The 20th percentile of measured over guessed, never above 1. */
  #lowFactor(): number {
    const sorted = this.#errors.toSorted((a, b) => a - b);
    return Math.min(1, sorted[Math.floor(LOW_QUANTILE * (sorted.length - 1))] as number);
  }
}

function emptyBin(hour: number): HourBin {
  return {
    hour,
    clearWattMs: 0,
    pvWattMs: 0,
    coveredMs: 0,
    curtailedMs: 0,
    firstStored: undefined,
    lastStored: undefined,
  };
}

/** A saved state that can be used, or undefined: another version, or damaged. */
export function forecastStateOf(value: unknown): ForecastState | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, response, clearness, errors, loadWatts } = value as Partial<ForecastState>;
  const good =
    version === 1 &&
    isNumbers(response, 24, 24) &&
    isNumbers(clearness, 1, CLEARNESS_DAYS) &&
    isNumbers(errors, 1, ERROR_DAYS) &&
    typeof loadWatts === 'number' &&
    Number.isFinite(loadWatts);
  return good ? (value as ForecastState) : undefined;
}

function isNumbers(list: unknown, least: number, most: number): boolean {
  return (
    Array.isArray(list) &&
    list.length >= least &&
    list.length <= most &&
    list.every((it) => typeof it === 'number' && Number.isFinite(it) && it >= 0)
  );
}
