/**
 * Charge of a battery that does not tell it: amperes counted between anchors. An anchor is a moment at
 * which the charge is known by itself: full (absorption voltage, and hardly any current flows in for three
 * minutes), or at rest for two hours. Between anchors the error grows by a point a day. A count that a voltage at rest
 * puts much too high has not seen what flowed (a charger that tells nothing of the load, a wire past the shunt), however
 * sure it was; too low it may be, as a trickle lifts the voltage. Time is passed in.
 */
import type { Chemistry } from '../govern/thresholds.ts';

export interface Battery {
  readonly chemistry: Chemistry;
  readonly nominalVolts: number;
  readonly capacityWh: number;
}

export interface ChargeEstimate {
  readonly percent: number;
  readonly errorPoints: number;
}

/** What survives a restart. */
export interface ChargeState {
  readonly percent: number;
  readonly errorPoints: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const REST_AFTER_MS = 2 * HOUR_MS;
const FULL_AFTER_MS = 3 * MINUTE_MS;
const TAIL_CURRENT_RATIO = 0.04;
export const REST_CURRENT_RATIO = 1 / 50;
const DRIFT_POINTS_PER_DAY = 1;
const FULL_ERROR_POINTS = 1;
/** A gap in the current longer than this cannot be bridged by its last value. */
const COUNT_GAP_MS_MAX = 2 * MINUTE_MS;
/** Added for every hour in which nobody counted: a base load's worth. */
export const UNCOUNTED_POINTS_PER_HOUR = 2;
/** Charge counted from nowhere is worth nothing beyond this. */
export const ERROR_POINTS_MAX = 25;

const CHEMISTRY: Readonly<
  Record<Chemistry, { efficiency: number; absorptionVolts: number; rest: readonly RestPoint[] }>
> = {
  lifepo4: {
    efficiency: 0.99,
    absorptionVolts: 14.2,
    rest: [
      [12.0, 10],
      [12.8, 20],
      [13.0, 30],
      [13.2, 40],
      [13.3, 70],
      [13.4, 90],
      [13.6, 99],
    ],
  },
  'lead-acid': {
    efficiency: 0.9,
    absorptionVolts: 14.4,
    rest: [
      [11.31, 10],
      [11.58, 20],
      [11.75, 30],
      [11.9, 40],
      [12.06, 50],
      [12.2, 60],
      [12.32, 70],
      [12.42, 80],
      [12.5, 90],
      [12.7, 100],
    ],
  },
};

/** [volts of a 12 V battery at rest, percent] */
type RestPoint = readonly [number, number];

/** Volts are read to about this, cables and temperature included. */
const REST_VOLTS_ERROR = 0.03;

/** Open-circuit voltage of six lead-acid cells rises by about 0.2 mV each; LiFePO4 hardly moves. */
const LEAD_VOLTS_PER_KELVIN = 6 * 0.0002;
const TABLE_TEMP_C = 25;

/** Charge by rest voltage, its error by the slope of the curve: LiFePO4 is flat in the middle. */
export function chargeAtRest(
  battery: Battery,
  batteryVolts: number,
  tempC?: number,
): ChargeEstimate {
  const factor = battery.nominalVolts / 12;
  const drift =
    battery.chemistry === 'lead-acid' && tempC !== undefined
      ? LEAD_VOLTS_PER_KELVIN * (tempC - TABLE_TEMP_C)
      : 0;
  const volts = batteryVolts / factor - drift;
  const curve = CHEMISTRY[battery.chemistry].rest;
  const at = percentOn(curve, volts);
  const low = percentOn(curve, volts - REST_VOLTS_ERROR);
  const high = percentOn(curve, volts + REST_VOLTS_ERROR);
  return { percent: at, errorPoints: Math.max(3, high - at, at - low) };
}

function percentOn(curve: readonly RestPoint[], volts: number): number {
  const first = curve[0] as RestPoint;
  if (volts <= first[0]) return Math.max(0, first[1] - (first[0] - volts) * 20);
  for (let i = 1; i < curve.length; i++) {
    const [lowVolts, lowPercent] = curve[i - 1] as RestPoint;
    const [highVolts, highPercent] = curve[i] as RestPoint;
    if (volts > highVolts) continue;
    return lowPercent + ((volts - lowVolts) / (highVolts - lowVolts)) * (highPercent - lowPercent);
  }
  return (curve.at(-1) as RestPoint)[1];
}

/** No battery stands at so many volts but by a charger that holds it there. */
export function chargerVolts({ chemistry, nominalVolts }: Battery): number {
  return (CHEMISTRY[chemistry].absorptionVolts - 0.1) * (nominalVolts / 12);
}

export class ChargeCounter {
  readonly #battery: Battery;
  readonly #capacityAh: number;
  #estimate: ChargeEstimate | undefined;
  #lastMs: number | undefined;
  #restSinceMs: number | undefined;
  #tailSinceMs: number | undefined;

  /** `sinceMs`: from when on nobody has counted what was saved. */
  constructor(battery: Battery, saved?: ChargeState, sinceMs?: number) {
    this.#battery = battery;
    this.#capacityAh = battery.capacityWh / battery.nominalVolts;
    this.#estimate = saved;
    this.#lastMs = sinceMs;
  }

  /** The charge as it was counted last, while its error still says something. */
  get estimate(): ChargeEstimate | undefined {
    return useful(this.#estimate);
  }

  /** The same, less sure by the time in which nobody counted. */
  estimateAt(nowMs: number): ChargeEstimate | undefined {
    const elapsedMs = nowMs - (this.#lastMs ?? nowMs);
    return useful(this.#estimate && this.#drifted(this.#estimate, elapsedMs, 0));
  }

  /** A charge told by somebody who knows better: counting goes on from there. */
  anchor(percent: number, errorPoints: number, atMs: number): void {
    this.#estimate = { percent, errorPoints };
    this.#lastMs = atMs;
  }

  /** Takes the current that flows, and the voltage where known, at a moment; moments never go back. */
  count(sample: { atMs: number; amps: number; volts?: number; tempC?: number }): void {
    const { atMs, amps } = sample;
    const elapsedMs = Math.max(0, atMs - (this.#lastMs ?? atMs));
    this.#lastMs = atMs;
    if (this.#estimate !== undefined)
      this.#estimate = this.#drifted(this.#estimate, elapsedMs, amps);
    if (sample.volts !== undefined) this.#lookForAnchor({ ...sample, volts: sample.volts });
  }

  #drifted(estimate: ChargeEstimate, elapsedMs: number, amps: number): ChargeEstimate {
    const countedMs = elapsedMs <= COUNT_GAP_MS_MAX ? elapsedMs : 0;
    const efficiency = amps > 0 ? CHEMISTRY[this.#battery.chemistry].efficiency : 1;
    const ampHours = (efficiency * amps * countedMs) / HOUR_MS;
    const percent = estimate.percent + (ampHours / this.#capacityAh) * 100;
    const uncounted = ((elapsedMs - countedMs) / HOUR_MS) * UNCOUNTED_POINTS_PER_HOUR;
    return {
      percent: Math.min(100, Math.max(0, percent)),
      errorPoints: estimate.errorPoints + (elapsedMs / DAY_MS) * DRIFT_POINTS_PER_DAY + uncounted,
    };
  }

  #lookForAnchor(sample: { atMs: number; amps: number; volts: number; tempC?: number }): void {
    const { atMs, amps, volts } = sample;
    const isHeld = volts >= chargerVolts(this.#battery);
    const tail = isHeld && amps >= 0 && amps < TAIL_CURRENT_RATIO * this.#capacityAh;
    this.#tailSinceMs = tail ? (this.#tailSinceMs ?? atMs) : undefined;
    if (this.#tailSinceMs !== undefined && atMs - this.#tailSinceMs >= FULL_AFTER_MS) {
      this.#estimate = { percent: 100, errorPoints: FULL_ERROR_POINTS };
      return;
    }
    const resting = Math.abs(amps) < REST_CURRENT_RATIO * this.#capacityAh;
    this.#restSinceMs = resting ? (this.#restSinceMs ?? atMs) : undefined;
    if (this.#restSinceMs === undefined || atMs - this.#restSinceMs < REST_AFTER_MS) return;
    const rested = chargeAtRest(this.#battery, volts, sample.tempC);
    const { percent, errorPoints } = this.#estimate ?? { percent: 0, errorPoints: Infinity };
    const isRefuted = percent - rested.percent > ERROR_POINTS_MAX + rested.errorPoints;
    if (isRefuted || rested.errorPoints < errorPoints) this.#estimate = rested;
  }
}

function useful(estimate: ChargeEstimate | undefined): ChargeEstimate | undefined {
  return estimate !== undefined && estimate.errorPoints <= ERROR_POINTS_MAX ? estimate : undefined;
}
