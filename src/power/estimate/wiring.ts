/**
 * What a meter of a battery's current is wired to shows in two moments, and not to the eye:
 *
 * - A battery that a charger holds at its voltage gives nothing. A meter that tells so has its wires swapped, and would
 *   count the charge upwards all night.
 * - At night the hub itself is fed from the battery. A charger that tells of no current then does not see what the site
 *   draws: it tells what goes in, and a count of that only rises.
 *
 * What has shown itself holds until the meter shows the contrary: a sign is as wrong at night as it was at noon.
 */
import { isStale, type ReadingField } from './reading.ts';
import { type Battery, chargerVolts, REST_CURRENT_RATIO } from './state-of-charge.ts';

export const REVERSED = 'it is wired the other way round';
export const BLIND = 'it does not see what the site draws';
export type Miswiring = typeof REVERSED | typeof BLIND;

const MINUTE_MS = 60_000;
/** So long, no cloud is the reason, and no charger that lets go of a full battery at dusk. */
const SHOWN_AFTER_MS: Readonly<Record<Miswiring, number>> = {
  [REVERSED]: 10 * MINUTE_MS,
  [BLIND]: 60 * MINUTE_MS,
};
/** No hub draws less; chargers at night take a little themselves. */
const HUB_WATTS_MIN = 0.4;
/** A panel that gives less stands in the dark. */
const DARK_WATTS = 0.1;

interface Told {
  readonly value: number;
  readonly atMs: number;
}

interface Shown {
  readonly what: Miswiring;
  readonly sinceMs: number;
  readonly isSure: boolean;
}

export class Wiring {
  readonly #chargerVolts: number;
  readonly #restWatts: number;
  /** Of one ampere, or of one watt. */
  readonly #watts: Readonly<Partial<Record<ReadingField, number>>>;
  #volts: Told | undefined;
  #panel: Told | undefined;
  readonly #shown = new Map<ReadingField, Shown>();

  constructor(battery: Battery) {
    this.#chargerVolts = chargerVolts(battery);
    this.#restWatts = REST_CURRENT_RATIO * battery.capacityWh;
    this.#watts = { batteryAmps: battery.nominalVolts, batteryWatts: 1 };
  }

  /** What is wrong with the wires of what tells this; of volts and panel, which only bear witness, nothing. */
  look(field: ReadingField, value: number, atMs: number): Miswiring | undefined {
    if (field === 'batteryVolts') this.#volts = { value, atMs };
    if (field === 'pvWatts') this.#panel = { value, atMs };
    const factor = this.#watts[field];
    if (factor === undefined) return undefined;
    const watts = factor * value;
    const before = this.#shown.get(field);
    if (before?.isSure === true) {
      if (!this.#isRefuted(before.what, watts, atMs)) return before.what;
      this.#shown.delete(field);
    }
    const what = this.#signOf(watts, atMs);
    if (what === undefined) {
      this.#shown.delete(field);
      return undefined;
    }
    const sinceMs = before?.what === what ? before.sinceMs : atMs;
    const isSure = atMs - sinceMs >= SHOWN_AFTER_MS[what];
    this.#shown.set(field, { what, sinceMs, isSure });
    return isSure ? what : undefined;
  }

  #signOf(watts: number, atMs: number): Miswiring | undefined {
    if (watts < -this.#restWatts && this.#isHeld(atMs)) return REVERSED;
    const panel = this.#panel;
    const isDark = panel !== undefined && !isStale(panel.atMs, atMs) && panel.value < DARK_WATTS;
    return isDark && Math.abs(watts) < HUB_WATTS_MIN ? BLIND : undefined;
  }

  #isRefuted(what: Miswiring, watts: number, atMs: number): boolean {
    return what === REVERSED
      ? watts > this.#restWatts && this.#isHeld(atMs)
      : watts <= -HUB_WATTS_MIN;
  }

  #isHeld(atMs: number): boolean {
    const volts = this.#volts;
    return volts !== undefined && !isStale(volts.atMs, atMs) && volts.value >= this.#chargerVolts;
  }
}
