/**
 * A simulated site: battery, panel, loads. The battery loses a little on the way in, takes less when it is
 * nearly full (the charger then holds the panel back: curtailment), cuts off when it is empty and comes
 * back when the sun has filled it a bit. The hub, its radio and what sync spends are loads like any other.
 * Time is passed in and only goes on; the same sky and the same calls give the same month.
 */
import type { Clock } from '../../base/clock.ts';
import type { Sky } from './sky.ts';

export interface SiteOptions {
  readonly sky: Sky;
  readonly panelWatts: number;
  readonly capacityWh: number;
  readonly nominalVolts: number;
  /** Hub and devices, always on while the battery is. */
  readonly baseWatts: number;
  readonly radioWatts: number;
  readonly startRatio: number;
  /** Wh that reach the battery of each that is sent in. */
  readonly chargeEfficiency?: number;
  /** Below this the battery's own electronics cut off, and above the second they come back. */
  readonly cutOffRatio?: number;
  readonly restartRatio?: number;
}

interface SiteMeasure {
  readonly batteryVolts: number;
  readonly batteryAmps: number;
  readonly batteryWatts: number;
  readonly socRatio: number;
  readonly pvWatts: number;
  readonly loadWatts: number;
  readonly chargeStage: 'off' | 'bulk' | 'absorption' | 'float';
  readonly curtailed: boolean;
  readonly tempC: number;
}

const STEP_MS_MAX = 60_000;
/** A session is told when it is over; drawn within a moment it would be a load that no site has. */
const SPENT_OVER_MS = 60_000;
const HOUR_MS = 3_600_000;
/** The panel's rating is at 1,000 W/m²; wiring, heat and dust take their part. */
const PANEL_DERATING = 0.8;
/** From this charge on the battery takes less and less, down to nothing at full. */
const TAPER_RATIO = 0.95;
/** Charge by which a full battery may take any current again. */
const FULL_RATIO = 0.9995;

/** Resting volts of a 12 V LiFePO4 battery by charge, and what a current of 1 C adds. */
const REST_VOLTS: readonly (readonly [number, number])[] = [
  [0, 10.5],
  [0.1, 12.0],
  [0.2, 12.8],
  [0.3, 13.0],
  [0.4, 13.2],
  [0.7, 13.3],
  [0.9, 13.4],
  [1, 13.6],
];
const VOLTS_PER_C = 2.5;

export class SimSite {
  readonly #options: Required<SiteOptions>;
  #wallMs: number;
  #storedWh: number;
  #on = true;
  #radioOn = false;
  #spentWh = 0;
  /** Over which that is still to be drawn. */
  #spentMs = 0;
  #pvWatts = 0;
  #panelWatts = 0;
  #loadWatts = 0;
  #netWatts = 0;
  #downMs = 0;
  #curtailedWh = 0;

  constructor(options: SiteOptions, wallMs: number) {
    this.#options = { chargeEfficiency: 0.96, cutOffRatio: 0.05, restartRatio: 0.2, ...options };
    this.#wallMs = wallMs;
    this.#storedWh = options.capacityWh * options.startRatio;
    this.#step(0);
  }

  /** Whether the battery carries the site: a hub without power does nothing. */
  get on(): boolean {
    return this.#on;
  }

  get socRatio(): number {
    return this.#storedWh / this.#options.capacityWh;
  }

  /** Time without power, and energy that the charger held back, since the start. */
  get totals(): { readonly downMs: number; readonly curtailedWh: number } {
    return { downMs: this.#downMs, curtailedWh: this.#curtailedWh };
  }

  radio(on: boolean): void {
    this.#radioOn = on;
  }

  /** Energy that something took beside the known loads: a sync session. Drawn within the minute that follows, evenly. */
  spend(energyWh: number): void {
    this.#spentWh += Math.max(0, energyWh);
    this.#spentMs = SPENT_OVER_MS;
  }

  /** Lives through the time up to `wallMs`; a moment that has passed already changes nothing. */
  advance(wallMs: number): void {
    while (this.#wallMs < wallMs) {
      const stepMs = Math.min(STEP_MS_MAX, wallMs - this.#wallMs);
      this.#wallMs += stepMs;
      this.#step(stepMs);
    }
  }

  measure(): SiteMeasure {
    const { capacityWh, nominalVolts } = this.#options;
    const rest = interpolated(REST_VOLTS, this.socRatio) * (nominalVolts / 12);
    const full = this.socRatio >= FULL_RATIO;
    const volts = rest + (this.#netWatts / capacityWh) * VOLTS_PER_C * (nominalVolts / 12);
    const curtailed = this.#pvWatts < 0.98 * this.#panelWatts;
    const charging = this.#pvWatts > 0.1;
    const absorbing = this.socRatio >= TAPER_RATIO;
    return {
      batteryVolts: volts,
      batteryAmps: this.#netWatts / volts,
      batteryWatts: this.#netWatts,
      socRatio: this.socRatio,
      pvWatts: this.#pvWatts,
      loadWatts: this.#loadWatts,
      chargeStage: !charging ? 'off' : full ? 'float' : absorbing ? 'absorption' : 'bulk',
      curtailed,
      tempC: 25,
    };
  }

  #step(stepMs: number): void {
    const { capacityWh, chargeEfficiency, baseWatts, radioWatts } = this.#options;
    const hours = stepMs / HOUR_MS;
    this.#panelWatts =
      (PANEL_DERATING * this.#options.panelWatts * this.#options.sky.ghiWm2(this.#wallMs)) / 1_000;
    const spentWatts = hours > 0 ? this.#drawSpent(stepMs) / hours : 0;
    this.#loadWatts = this.#on ? baseWatts + (this.#radioOn ? radioWatts : 0) + spentWatts : 0;

    const acceptedWatts = capacityWh * this.#acceptanceRatio();
    this.#pvWatts = Math.min(this.#panelWatts, this.#loadWatts + acceptedWatts);
    this.#netWatts = this.#pvWatts - this.#loadWatts;
    const gainWh = this.#netWatts * hours * (this.#netWatts > 0 ? chargeEfficiency : 1);
    this.#storedWh = Math.min(capacityWh, Math.max(0, this.#storedWh + gainWh));
    this.#curtailedWh += (this.#panelWatts - this.#pvWatts) * hours;
    if (!this.#on) this.#downMs += stepMs;
    if (this.#on && this.socRatio <= this.#options.cutOffRatio) this.#on = false;
    else if (!this.#on && this.socRatio >= this.#options.restartRatio) this.#on = true;
  }

  /** Wh of what was spent that fall into a step. */
  #drawSpent(stepMs: number): number {
    const part = stepMs < this.#spentMs ? stepMs / this.#spentMs : 1;
    const drawnWh = part * this.#spentWh;
    this.#spentWh -= drawnWh;
    this.#spentMs = Math.max(0, this.#spentMs - stepMs);
    return drawnWh;
  }

  /** Current that the battery takes, as a part of its capacity per hour: half of it, tapering to nothing when full. */
  #acceptanceRatio(): number {
    if (this.socRatio < TAPER_RATIO) return 0.5;
    return Math.max(0, (0.5 * (1 - this.socRatio)) / (1 - TAPER_RATIO));
  }
}

/** The site as a hub on it sees it: measuring lives through the time up to now first. */
export function siteNow(site: SimSite, clock: Pick<Clock, 'wallMs'>): { measure(): SiteMeasure } {
  return {
    measure: () => {
      site.advance(clock.wallMs());
      return site.measure();
    },
  };
}

function interpolated(curve: readonly (readonly [number, number])[], x: number): number {
  for (let i = 1; i < curve.length; i++) {
    const [lowX, lowY] = curve[i - 1] as readonly [number, number];
    const [highX, highY] = curve[i] as readonly [number, number];
    if (x <= highX) return lowY + ((x - lowX) / (highX - lowX)) * (highY - lowY);
  }
  return (curve.at(-1) as readonly [number, number])[1];
}
