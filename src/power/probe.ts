/**
 * `heliograph power probe`: what every source tells, side by side, so that an installer sees in ten seconds
 * whether the wiring is right. Works without a running hub, on sources of its own.
 */
import type { Timers } from '../base/clock.ts';
import { pause } from '../base/clock.ts';
import { type HeardField, HeardReading, type ReadingField } from './estimate/reading.ts';
import type { PowerSource } from './sources/source.ts';

/** A source: what it told last and when, and why it is silent where it is. */
export interface SourceView {
  readonly name: string;
  readonly fields: readonly HeardField[];
  readonly lost: string | undefined;
}

export interface ProbeRow {
  readonly source: string;
  /** Absent where the row says why the source is silent. */
  readonly field?: ReadingField;
  readonly value: string;
  readonly unit: string;
  readonly ageS?: number;
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

export interface Listening {
  /** What each source has told so far. */
  views(): SourceView[];
  stop(): void;
}

/** Starts sources and listens to them. */
export function listenTo(sources: readonly PowerSource[]): Listening {
  const heard = sources.map((source) => {
    const state: { name: string; reading: HeardReading; lost?: string } = {
      name: source.name,
      reading: new HeardReading(),
    };
    source.start(
      (reading) => {
        state.reading.take(reading);
        delete state.lost;
      },
      (reason) => {
        state.lost = reason;
      },
    );
    return state;
  });
  return {
    views: () => heard.map(({ name, reading, lost }) => ({ name, fields: reading.fields(), lost })),
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
  return views.flatMap(({ name, fields, lost }): ProbeRow[] => {
    const rows = fields
      .filter(({ atMs }) => nowMs - atMs <= SHOWN_MS_MAX)
      .map(({ field, value, atMs }) => ({
        source: name,
        field,
        value: shown(field, value),
        unit: UNITS[field],
        ageS: (nowMs - atMs) / 1_000,
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
