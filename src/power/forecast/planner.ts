/**
 * Looks ahead for the governor: feeds the forecast with what is measured, plans the budget anew every quarter
 * of an hour, and keeps the adaptive floor. Without a charge or without a trusted date there is no budget, and
 * the governor goes by levels alone. Pure but for its memory; time is passed in, the state survives restarts.
 */
import { type Budget, HORIZON_HOURS, nextFloor, planBudget } from './budget.ts';
import type { BatteryEstimate } from '../estimate/estimator.ts';
import { type ForecastState, forecastStateOf, SolarForecast, type SolarSite } from './forecast.ts';
import { solarHours } from './sun.ts';
import type { Thresholds } from '../govern/thresholds.ts';

export interface PlannerState {
  readonly version: 1;
  readonly forecast: ForecastState;
  readonly floorPct: number;
}

export interface PlannerInput {
  /** Monotonic. */
  readonly nowMs: number;
  readonly wallMs: number;
  /** False where the date may be wrong: the sun of the wrong day helps nobody. */
  readonly dateTrusted: boolean;
  readonly estimate: BatteryEstimate;
  /** A session runs: what the load shows now is not the site's own. */
  readonly sessionOpen: boolean;
}

const REPLAN_MS = 15 * 60_000;
/** A charge that moved by this since the plan makes it old. */
const REPLAN_POINTS = 1;
const FLOOR_PCT_MAX = 80;

export class Planner {
  readonly #site: SolarSite;
  readonly #capacityWh: number;
  readonly #thresholds: Thresholds;
  readonly #forecast: SolarForecast;
  #floorPct: number;
  #budget: Budget | undefined;
  #plannedAtMs = -Infinity;
  #plannedPct = Number.NaN;
  #day: { number: number; lowestPct: number; highestPct: number } | undefined;

  /** `thresholds` in percent. */
  constructor(site: SolarSite, capacityWh: number, thresholds: Thresholds, saved?: unknown) {
    const state = plannerStateOf(saved);
    this.#site = site;
    this.#capacityWh = capacityWh;
    this.#thresholds = thresholds;
    this.#forecast = new SolarForecast(site, state?.forecast);
    this.#floorPct = Math.max(thresholds.alarmsStop, state?.floorPct ?? 0);
  }

  get state(): PlannerState {
    return { version: 1, forecast: this.#forecast.state, floorPct: this.#floorPct };
  }

  /** What the site draws, sync aside. */
  get loadWatts(): number {
    return this.#forecast.loadWatts;
  }

  /** The budget that holds now; undefined where nothing can be planned. */
  plan(input: PlannerInput): Budget | undefined {
    const { estimate, wallMs, nowMs } = input;
    const { socPct } = estimate;
    if (!input.dateTrusted || estimate.mains) return undefined;
    this.#observe(input);
    if (socPct === undefined) return undefined;
    this.#keepFloor(wallMs, socPct);
    const old =
      nowMs - this.#plannedAtMs >= REPLAN_MS ||
      !(Math.abs(socPct - this.#plannedPct) < REPLAN_POINTS);
    if (old || this.#budget === undefined) {
      this.#plannedAtMs = nowMs;
      this.#plannedPct = socPct;
      this.#budget = planBudget({
        storedWh: (socPct / 100) * this.#capacityWh,
        capacityWh: this.#capacityWh,
        baseWatts: this.#forecast.loadWatts,
        ahead: this.#forecast.ahead(wallMs, HORIZON_HOURS),
        alarmsStopPct: this.#thresholds.alarmsStop,
        floorPct: this.#floorPct,
      });
    }
    return this.#budget;
  }

  #observe({ wallMs, estimate, sessionOpen }: PlannerInput): void {
    const { pvW, loadW, socPct, curtailed } = estimate;
    this.#forecast.observe({
      wallMs,
      ...(pvW === undefined ? {} : { pvWatts: pvW }),
      ...(curtailed === undefined ? {} : { curtailed }),
      ...(loadW === undefined || sessionOpen ? {} : { loadWatts: loadW }),
      ...(socPct === undefined ? {} : { storedWh: (socPct / 100) * this.#capacityWh }),
    });
  }

  #keepFloor(wallMs: number, socPct: number): void {
    const number = Math.floor(solarHours(wallMs, this.#site) / 24);
    const day = this.#day;
    if (day === undefined || day.number !== number) {
      const limits = { pause: this.#thresholds.alarmsStop, resume: FLOOR_PCT_MAX };
      if (day !== undefined) this.#floorPct = nextFloor(this.#floorPct, day, limits);
      this.#day = { number, lowestPct: socPct, highestPct: socPct };
      return;
    }
    day.lowestPct = Math.min(day.lowestPct, socPct);
    day.highestPct = Math.max(day.highestPct, socPct);
  }
}

function plannerStateOf(value: unknown): PlannerState | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, forecast, floorPct } = value as Partial<PlannerState>;
  const known = forecastStateOf(forecast);
  if (version !== 1 || known === undefined || typeof floorPct !== 'number') return undefined;
  return { version, forecast: known, floorPct };
}
