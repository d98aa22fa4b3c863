/**
 * `heliograph power probe`: what every source tells, side by side, so that an installer sees in ten seconds
 * whether the wiring is right. Works without a running hub, on sources of its own.
 */
import type { Timers } from '../base/clock.ts';
import { pause } from '../base/clock.ts';
import { Plausibility } from './estimate/plausibility.ts';
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
  /** Fields whose values were refused lately: they jump, stick or cannot be. */
  readonly doubted?: readonly ReadingField[];
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
  return `${name} of ${shown(field, value)} ${UNITS[field]}`.trimEnd();
}

export interface Listening {
  /** What each source has told so far. */
  views(): SourceView[];
  stop(): void;
}

/** Starts sources and listens to them; with the battery they belong to, what cannot be told of it is doubted. */
export function listenTo(sources: readonly PowerSource[], battery?: Battery): Listening {
  const heard = sources.map((source) => {
    const doubted = new Set<ReadingField>();
    const state: {
      name: string;
      reading: HeardReading;
      doubted: Set<ReadingField>;
      lost?: string;
    } = { name: source.name, reading: new HeardReading(), doubted };
    const plausibility = battery === undefined ? undefined : new Plausibility(battery);
    source.start(
      (reading) => {
        state.reading.take(reading);
        for (const field of READING_FIELDS) {
          const isBelieved = plausibility?.believes(field, reading[field], reading.atMs) ?? true;
          if (!isBelieved) doubted.add(field);
        }
        delete state.lost;
      },
      (reason) => {
        state.lost = reason;
      },
    );
    return state;
  });
  return {
    views: () =>
      heard.map(({ name, reading, doubted, lost }) => {
        return { name, fields: reading.fields(), doubted: [...doubted], lost };
      }),
    stop: () => {
      for (const source of sources) source.stop();
    },
  };
}

/** Listens to sources for `durationMs`, then stops them. */
export async function probe(
  sources: readonly PowerSource[],
  timers: Timers,
  durationMs: number,
): Promise<SourceView[]> {
  const listening = listenTo(sources);
  await pause(timers, durationMs);
  listening.stop();
  return listening.views();
}

/** A figure older than this helps nobody to find a fault. */
const SHOWN_MS_MAX = 10 * 60_000;

/** One row for each figure, with unit and age; one for a source that is silent, with the reason. */
export function probeRows(views: readonly SourceView[], nowMs: number): ProbeRow[] {
  return views.flatMap(({ name, fields, doubted = [], lost }): ProbeRow[] => {
    const rows = fields
      .filter(({ atMs }) => nowMs - atMs <= SHOWN_MS_MAX)
      .map(({ field, value, atMs }) => ({
        source: name,
        field,
        value: shown(field, value),
        unit: UNITS[field],
        ageS: (nowMs - atMs) / 1_000,
        ...(doubted.includes(field) ? { doubted: true as const } : {}),
      }));
    const reason = lost ?? (rows.length === 0 ? 'no reading yet' : undefined);
    return reason === undefined ? rows : [...rows, { source: name, value: reason, unit: '' }];
  });
}

function shown(field: ReadingField, value: number | string | boolean): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  return field === 'socRatio' ? (value * 100).toFixed(1) : value.toFixed(2);
}
