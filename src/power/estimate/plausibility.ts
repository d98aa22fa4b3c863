/**
 * Sensors that jump, stick or leave their range are flagged, not believed. A jump is believed when it stays:
 * a battery swapped on site is as real as a loose wire is not.
 */
import type { ReadingField } from './reading.ts';
import type { Battery } from './state-of-charge.ts';
import { type Miswiring, Wiring } from './wiring.ts';

/** A meter of a panel or a load that tells so much below nothing tells nothing. */
export const NOTHING_WATTS = 1;

/** What moves by more than this between two readings is no battery's; of volts, by the nominal voltage. */
const JUMP_RATIO = 0.1;
const JUMP_NOMINAL_VOLTS = 0.25;
const JUMP_DEGREES = 20;
/** After this long the new value is the truth. */
const JUMP_HOLDS_MS = 5 * 60_000;
/** After so long a silence any value is as good as another. */
const FORGOTTEN_AFTER_MS = 30 * 60_000;
/** No site has the very same current through a whole day and night, and no panel gives the same power. */
const STUCK_AFTER_MS = 24 * 3_600_000;
/** A charge that stands still while so much of the battery has flowed out or in is stuck, however coarse its steps. */
const STUCK_FLOW_RATIO = 0.3;
/** Within so long: in weeks, a shunt that is off by a little tells of as much. */
const STUCK_FLOW_MS = 48 * 3_600_000;

/** Refused again within this, it is the same trouble. */
const SAME_TROUBLE_MS = 10 * 60_000;
/** Believed again for so long, it is none any more. */
const SUSPECT_FOR_MS = 2 * 60_000;

const WATTS: ReadonlySet<ReadingField> = new Set(['batteryWatts', 'loadWatts']);

/** A field whose values are refused. */
export interface Suspect {
  readonly field: ReadingField;
  /** The last one. */
  readonly value: number;
  /** Of the first one, on the clock of the readings. */
  readonly sinceMs: number;
  readonly atMs: number;
  readonly times: number;
  /** What is wrong, where that shows. */
  readonly why?: Miswiring;
}

interface Believed {
  readonly value: number;
  readonly atMs: number;
}

interface Unchanged {
  readonly value: number;
  readonly sinceMs: number;
  readonly flowRatio: number;
}

/** Watts are mostly volts times amperes: where one of these is refused, they are not believed either. */
export function isMadeOf(field: ReadingField, part: ReadingField): boolean {
  return WATTS.has(field) && (part === 'batteryVolts' || part === 'batteryAmps');
}

export class Plausibility {
  readonly #ranges: Readonly<Partial<Record<ReadingField, readonly [number, number]>>>;
  readonly #jumps: Readonly<Partial<Record<ReadingField, number>>>;
  readonly #suspects = new Map<ReadingField, Suspect>();
  readonly #believed = new Map<ReadingField, Believed>();
  /** The value that it jumped to, and when. */
  readonly #jumped = new Map<ReadingField, Believed>();
  readonly #unchanged = new Map<ReadingField, Unchanged>();
  readonly #wiring: Wiring;

  constructor(battery: Battery) {
    const { nominalVolts, capacityWh } = battery;
    this.#wiring = new Wiring(battery);
    // No battery is charged or emptied in a minute; the panel of a small one may be large.
    const watts = Math.max(50 * capacityWh, 1_000);
    this.#ranges = {
      batteryVolts: [0.5 * nominalVolts, 1.6 * nominalVolts],
      batteryAmps: [-watts / nominalVolts, watts / nominalVolts],
      batteryWatts: [-watts, watts],
      socRatio: [0, 1],
      pvWatts: [-NOTHING_WATTS, watts],
      loadWatts: [-NOTHING_WATTS, watts],
      tempC: [-60, 120],
    };
    this.#jumps = {
      batteryVolts: JUMP_NOMINAL_VOLTS * nominalVolts,
      socRatio: JUMP_RATIO,
      tempC: JUMP_DEGREES,
    };
  }

  /** Fields that were refused lately. */
  suspects(nowMs: number): Suspect[] {
    return [...this.#suspects.values()].filter(({ atMs }) => nowMs - atMs < SUSPECT_FOR_MS);
  }

  /** `flowRatio`: what has flowed into the battery since some moment, by its size; negative out of it. */
  believes(field: ReadingField, value: unknown, atMs: number, flowRatio = 0): boolean {
    if (typeof value !== 'number') return true;
    const why = this.#wiring.look(field, value, atMs);
    const good =
      why === undefined &&
      this.#inRange(field, value) &&
      !this.#jumpsAt(field, value, atMs) &&
      !this.#sticks(field, { value, sinceMs: atMs, flowRatio });
    if (!good) this.#refuse(field, value, atMs, why === undefined ? {} : { why });
    return good;
  }

  #refuse(field: ReadingField, value: number, atMs: number, more: Pick<Suspect, 'why'>): void {
    const before = this.#suspects.get(field);
    const goesOn = before !== undefined && atMs - before.atMs < SAME_TROUBLE_MS;
    const { sinceMs, times } = goesOn ? before : { sinceMs: atMs, times: 0 };
    this.#suspects.set(field, { field, value, sinceMs, atMs, times: times + 1, ...more });
  }

  #inRange(field: ReadingField, value: number): boolean {
    const [least, most] = this.#ranges[field] ?? [-Infinity, Infinity];
    return Number.isFinite(value) && value >= least && value <= most;
  }

  #jumpsAt(field: ReadingField, value: number, atMs: number): boolean {
    const most = this.#jumps[field];
    if (most === undefined) return false;
    const from = this.#believed.get(field);
    const forgotten = from === undefined || atMs - from.atMs > FORGOTTEN_AFTER_MS;
    if (!forgotten && Math.abs(value - from.value) > most) {
      const before = this.#jumped.get(field);
      const isNear = before !== undefined && Math.abs(value - before.value) <= most;
      const jump = isNear ? before : { value, atMs };
      this.#jumped.set(field, jump);
      if (atMs - jump.atMs < JUMP_HOLDS_MS) return true;
    }
    this.#believed.set(field, { value, atMs });
    this.#jumped.delete(field);
    return false;
  }

  /** A voltage may well stand still, and so may a panel at night. */
  #sticks(field: ReadingField, now: Unchanged): boolean {
    const isLively = field === 'batteryAmps' || field === 'pvWatts';
    if (!isLively && field !== 'socRatio') return false;
    const before = this.#unchanged.get(field);
    const hasMoved = before === undefined || before.value !== now.value;
    if (!hasMoved && (isLively ? isStuck(before, now) : isStuckCharge(before, now))) {
      this.#believed.delete(field); // Whatever it moves to is no jump.
      return true;
    }
    const stays = !hasMoved && (isLively ? now.value !== 0 : !mayStandStill(before, now));
    if (!stays) this.#unchanged.set(field, now);
    return false;
  }
}

function isStuck(before: Unchanged, now: Unchanged): boolean {
  return now.value !== 0 && now.sinceMs - before.sinceMs > STUCK_AFTER_MS;
}

function isStuckCharge(before: Unchanged, now: Unchanged): boolean {
  const flowed = now.flowRatio - before.flowRatio;
  return !isAtItsEnd(now.value, flowed) && Math.abs(flowed) > STUCK_FLOW_RATIO;
}

/** Then what flows is counted anew. */
function mayStandStill(before: Unchanged, now: Unchanged): boolean {
  const isLong = now.sinceMs - before.sinceMs > STUCK_FLOW_MS;
  return isLong || isAtItsEnd(now.value, now.flowRatio - before.flowRatio);
}

/** A full battery cannot tell what flows in, an empty one not what is taken all the same. */
function isAtItsEnd(ratio: number, flowed: number): boolean {
  return flowed > 0 ? ratio >= 0.99 : ratio <= 0.01;
}
