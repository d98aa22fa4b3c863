/**
 * `heliograph power probe`: what every source tells, side by side, so that an installer sees in ten seconds
 * whether the wiring is right. Works without a running hub, on sources of its own.
 */
import { disputesOf } from './estimate/agreement.ts';
import { isMadeOf, Plausibility, type Suspect } from './estimate/plausibility.ts';
import {
  type HeardField,
  HeardReading,
  READING_FIELDS,
  type ReadingField,
} from './estimate/reading.ts';
import type { Battery } from './estimate/state-of-charge.ts';
import type { PowerSource } from './sources/source.ts';

/** A source: what it told last and when, and why it is silent where it is. */
export interface SourceView {
  readonly name: string;
  readonly fields: readonly HeardField[];
  /** Values that were refused lately: they jump, stick or cannot be. */
  readonly suspects: readonly Suspect[];
  readonly lost: string | undefined;
}

export interface ProbeRow {
  readonly source: string;
  /** Absent where the row says why the source is silent. */
  readonly field?: ReadingField;
  readonly value: string;
  readonly unit: string;
  readonly ageS?: number;
  /** Such a value is not believed. */
  readonly doubted?: true;
  /** What is probably wrong with it. */
  readonly why?: string;
  /** A source that stands before this one, is believed, and tells another value. */
  readonly differsFrom?: string;
}

const UNITS: Readonly<Record<ReadingField, string>> = {
  batteryVolts: 'V',
  batteryAmps: 'A',
  batteryWatts: 'W',
  socRatio: '%',
  pvWatts: 'W',
  loadWatts: 'W',
  chargeStage: '',
  curtailed: '',
  tempC: '°C',
  mains: '',
};

/** Fields as people call them. */
export const FIELD_WORDS: Readonly<Record<ReadingField, string>> = {
  batteryVolts: 'battery voltage',
  batteryAmps: 'battery current, + is charging',
  batteryWatts: 'battery power, + is charging',
  socRatio: 'state of charge',
  pvWatts: 'panel',
  loadWatts: 'load',
  chargeStage: 'charger',
  curtailed: 'panel held back',
  tempC: 'battery temperature',
  mains: 'on mains',
};

/** `battery voltage of 26.10 V`. */
export function figureText(field: ReadingField, value: number): string {
  const [name] = FIELD_WORDS[field].split(',');
  return `${name} of ${valueText(field, value)}`;
}

/** `26.10 V`. */
export function valueText(field: ReadingField, value: number): string {
  return `${shown(field, value)} ${UNITS[field]}`.trimEnd();
}

export interface Listening {
  /** What each source has told up to `nowMs` (monotonic). */
  views(nowMs: number): SourceView[];
  stop(): void;
}

/** Starts the sources of `battery` and listens to them; what cannot be told of it is doubted. */
export function listenTo(sources: readonly PowerSource[], battery: Battery): Listening {
  const heard = sources.map((source) => new HeardSource(source, battery));
  return {
    views: (nowMs) => heard.map((it) => it.view(nowMs)),
    stop: () => {
      for (const source of sources) source.stop();
    },
  };
}

class HeardSource {
  readonly #name: string;
  readonly #reading = new HeardReading();
  readonly #plausibility: Plausibility;
  #lost: string | undefined;

  constructor(source: PowerSource, battery: Battery) {
    this.#name = source.name;
    this.#plausibility = new Plausibility(battery);
    source.start(
      (reading) => {
        this.#reading.take(reading);
        this.#lost = undefined;
        for (const field of READING_FIELDS) {
          this.#plausibility.believes(field, reading[field], reading.atMs);
        }
      },
      (reason) => {
        this.#lost = reason;
      },
    );
  }

  view(nowMs: number): SourceView {
    const suspects = this.#plausibility.suspects(nowMs);
    return { name: this.#name, fields: this.#reading.fields(), suspects, lost: this.#lost };
  }
}

/** A figure older than this helps nobody to find a fault. */
const SHOWN_MS_MAX = 10 * 60_000;

/** One row for each figure, with unit and age; one for a source that is silent, with the reason. `views` in order of trust. */
export function probeRows(
  views: readonly SourceView[],
  nowMs: number,
  { nominalVolts }: Pick<Battery, 'nominalVolts'>,
): ProbeRow[] {
  const disputes = disputesOf(views, nowMs, nominalVolts);
  return views.flatMap(({ name, fields, suspects, lost }): ProbeRow[] => {
    const rows = fields
      .filter(({ atMs }) => nowMs - atMs <= SHOWN_MS_MAX)
      .map(({ field, value, atMs }) => {
        const dispute = disputes.find((it) => it.field === field && it.other.source === name);
        const refused = suspects.filter((it) => it.atMs === atMs);
        const doubt = refused.find((it) => it.field === field || isMadeOf(field, it.field));
        return {
          source: name,
          field,
          value: shown(field, value),
          unit: UNITS[field],
          ageS: (nowMs - atMs) / 1_000,
          ...(doubt === undefined ? {} : { doubted: true as const }),
          ...(doubt?.why === undefined ? {} : { why: doubt.why }),
          ...(dispute === undefined ? {} : { differsFrom: dispute.believed.source }),
        };
      });
    const reason = lost ?? (rows.length === 0 ? 'no reading yet' : undefined);
    return reason === undefined ? rows : [...rows, { source: name, value: reason, unit: '' }];
  });
}

function shown(field: ReadingField, value: number | string | boolean): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  return field === 'socRatio' ? (value * 100).toFixed(1) : value.toFixed(2);
}
