/**
 * Sensors that jump, stick or leave their range are flagged, not believed. A jump is believed when it stays:
 * a battery swapped on site is as real as a loose wire is not.
 */
import type { ReadingField } from './reading.ts';
import type { Battery } from './state-of-charge.ts';

/** A charge that moves by more than this between two readings is no battery's. */
const JUMP_RATIO = 0.1;
/** After this long the new value is the truth. */
const JUMP_HOLDS_MS = 5 * 60_000;
/** After so long a silence any charge is as good as another. */
const FORGOTTEN_AFTER_MS = 30 * 60_000;
/** No site has the very same current through a whole day and night. */
const STUCK_AFTER_MS = 24 * 3_600_000;

const SUSPECT_FOR_MS = 10 * 60_000;

/** A field whose values are refused. */
export interface Suspect {
  readonly field: ReadingField;
  /** The last one. */
  readonly value: number;
  /** Of the first one, on the clock of the readings. */
  readonly sinceMs: number;
  readonly atMs: number;
  readonly times: number;
}

export class Plausibility {
  readonly #ranges: Readonly<Partial<Record<ReadingField, readonly [number, number]>>>;
  readonly #suspects = new Map<ReadingField, Suspect>();
  #charge: { readonly ratio: number; readonly atMs: number } | undefined;
  #jump: { readonly ratio: number; readonly sinceMs: number } | undefined;
  #unchanged: { readonly amps: number; readonly sinceMs: number } | undefined;

  constructor(battery: Battery) {
    const { nominalVolts, capacityWh } = battery;
    const watts = Math.max(50 * capacityWh, 1_000);
    this.#ranges = {
      batteryVolts: [0.5 * nominalVolts, 1.6 * nominalVolts],
      batteryAmps: [-watts / nominalVolts, watts / nominalVolts],
      batteryWatts: [-watts, watts],
      socRatio: [0, 1],
      pvWatts: [0, watts],
      loadWatts: [0, watts],
      tempC: [-60, 120],
    };
  }

  /** Fields that were refused lately. */
  suspects(nowMs: number): Suspect[] {
    return [...this.#suspects.values()].filter(({ atMs }) => nowMs - atMs < SUSPECT_FOR_MS);
  }

  believes(field: ReadingField, value: unknown, atMs: number): boolean {
    if (typeof value !== 'number') return true;
    const good =
      this.#inRange(field, value) &&
      !this.#jumps(field, value, atMs) &&
      !this.#sticks(field, value, atMs);
    if (!good) this.#refuse(field, value, atMs);
    return good;
  }

  #refuse(field: ReadingField, value: number, atMs: number): void {
    const before = this.#suspects.get(field);
    const goesOn = before !== undefined && atMs - before.atMs < SUSPECT_FOR_MS;
    const { sinceMs, times } = goesOn ? before : { sinceMs: atMs, times: 0 };
    this.#suspects.set(field, { field, value, sinceMs, atMs, times: times + 1 });
  }

  #inRange(field: ReadingField, value: number): boolean {
    const [least, most] = this.#ranges[field] ?? [-Infinity, Infinity];
    return Number.isFinite(value) && value >= least && value <= most;
  }

  #jumps(field: ReadingField, ratio: number, atMs: number): boolean {
    if (field !== 'socRatio') return false;
    const from = this.#charge;
    const forgotten = from === undefined || atMs - from.atMs > FORGOTTEN_AFTER_MS;
    if (forgotten || Math.abs(ratio - from.ratio) <= JUMP_RATIO) {
      this.#charge = { ratio, atMs };
      this.#jump = undefined;
      return false;
    }
    const near = this.#jump !== undefined && Math.abs(ratio - this.#jump.ratio) <= JUMP_RATIO;
    const jump = near && this.#jump !== undefined ? this.#jump : { ratio, sinceMs: atMs };
    this.#jump = jump;
    if (atMs - jump.sinceMs < JUMP_HOLDS_MS) return true;
    this.#charge = { ratio, atMs };
    this.#jump = undefined;
    return false;
  }

  /** Only the current is that lively; a charge in whole percent or a panel at night may well stand still. */
  #sticks(field: ReadingField, value: number, atMs: number): boolean {
    if (field !== 'batteryAmps') return false;
    const before = this.#unchanged;
    if (before === undefined || before.amps !== value || value === 0) {
      this.#unchanged = { amps: value, sinceMs: atMs };
      return false;
    }
    return atMs - before.sinceMs > STUCK_AFTER_MS;
  }
}
