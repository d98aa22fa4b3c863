/**
 * What a source measured at one moment. A field that a source does not know is absent, never 0; a source
 * may send its fields in parts (a battery monitor alternates two blocks). Ages are counted field by field,
 * and a field older than a minute is unknown: never empty, never full.
 */

export type ChargeStage =
  'off' | 'fault' | 'bulk' | 'absorption' | 'float' | 'equalise' | 'external';

export interface Reading {
  /** When it was measured, on the monotonic clock: the wall clock of a hub may lie. */
  readonly atMs: number;
  readonly batteryVolts?: number;
  /** Positive while the battery charges. */
  readonly batteryAmps?: number;
  /** Positive while the battery charges. */
  readonly batteryWatts?: number;
  readonly socRatio?: number;
  readonly pvWatts?: number;
  readonly loadWatts?: number;
  readonly chargeStage?: ChargeStage;
  /** The charger takes less from the panel than the panel could give: energy spent now is free. */
  readonly curtailed?: boolean;
  readonly tempC?: number;
  /** The site runs on mains: there is no battery to spare. */
  readonly mains?: boolean;
  /** `low`: a figure that its maker is known to get wrong; anything better is preferred. */
  readonly quality: 'good' | 'low';
}

/** A reading older than this says nothing any more. */
export const STALE_AFTER_MS = 60_000;

export const READING_FIELDS = [
  'batteryVolts',
  'batteryAmps',
  'batteryWatts',
  'socRatio',
  'pvWatts',
  'loadWatts',
  'chargeStage',
  'curtailed',
  'tempC',
  'mains',
] as const;

export type ReadingField = (typeof READING_FIELDS)[number];

export function isStale(atMs: number, nowMs: number): boolean {
  return nowMs - atMs > STALE_AFTER_MS;
}

/** True where the reading says anything at all. */
export function hasFields(reading: Reading): boolean {
  return READING_FIELDS.some((field) => reading[field] !== undefined);
}

/** A reading under construction: parsers assign what they find and leave the rest absent. */
export type ReadingDraft = { -readonly [Field in keyof Reading]: Reading[Field] };

export interface HeardField {
  readonly field: ReadingField;
  readonly value: number | string | boolean;
  /** On the monotonic clock. */
  readonly atMs: number;
}

/**
 * What one source has told, for people who look at its wiring. Each field has its own age: a battery monitor tells its
 * fields in turns, and a value that is told no more grows old, however lively the others are.
 */
export class HeardReading {
  readonly #fields = new Map<ReadingField, HeardField>();

  take(reading: Reading): void {
    for (const field of READING_FIELDS) {
      const value = reading[field];
      if (value !== undefined) this.#fields.set(field, { field, value, atMs: reading.atMs });
    }
  }

  /** In the order of READING_FIELDS. */
  fields(): HeardField[] {
    return READING_FIELDS.flatMap((field) => this.#fields.get(field) ?? []);
  }
}
