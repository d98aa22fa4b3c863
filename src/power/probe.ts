/**
 * `heliograph power probe`: what every source tells, side by side, so that an installer sees in ten seconds
 * whether the wiring is right. Works without a running hub, on sources of its own.
 */
import type { Clock, Timers } from '../base/clock.ts';
import { pause } from '../base/clock.ts';
import {
  mergeReadings,
  type Reading,
  READING_FIELDS,
  type ReadingField,
} from './estimate/reading.ts';
import type { PowerSource } from './sources/source.ts';

/** A source: what it told last and when, or why it is silent. */
export interface SourceView {
  readonly name: string;
  readonly reading: Reading | undefined;
  readonly ageS: number | undefined;
  readonly lost: string | undefined;
}

export interface ProbeRow {
  readonly source: string;
  /** Absent where the source told nothing. */
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
export function listenTo(sources: readonly PowerSource[], clock: Clock): Listening {
  const heard = sources.map((source) => {
    const state: { name: string; reading?: Reading; lost?: string } = { name: source.name };
    source.start(
      (reading) => {
        const known = state.reading === undefined ? [reading] : [state.reading, reading];
        state.reading = mergeReadings(known, reading.atMs);
        delete state.lost;
      },
      (reason) => {
        state.lost = reason;
      },
    );
    return state;
  });
  return {
    views: () => {
      const nowMs = clock.monotonicMs();
      return heard.map(({ name, reading, lost }) => ({
        name,
        reading,
        ageS: ageOf(reading, nowMs),
        lost,
      }));
    },
    stop: () => {
      for (const source of sources) source.stop();
    },
  };
}

/** Listens to sources for `durationMs`, then stops them. */
export async function probe(
  sources: readonly PowerSource[],
  { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
  durationMs: number,
): Promise<SourceView[]> {
  const listening = listenTo(sources, clock);
  await pause(timers, durationMs);
  listening.stop();
  return listening.views();
}

export function ageOf(reading: Reading | undefined, nowMs: number): number | undefined {
  return reading === undefined ? undefined : (nowMs - reading.atMs) / 1_000;
}

/** One row for each figure, with unit and age; one for a source that told nothing, with the reason. */
export function probeRows(views: readonly SourceView[]): ProbeRow[] {
  return views.flatMap(({ name, reading, ageS, lost }): ProbeRow[] => {
    if (reading === undefined) {
      return [{ source: name, value: lost ?? 'no reading yet', unit: '' }];
    }
    return READING_FIELDS.filter((field) => reading[field] !== undefined).map((field) => ({
      source: name,
      field,
      value: shown(field, reading[field] as number | string | boolean),
      unit: UNITS[field],
      ...(ageS === undefined ? {} : { ageS }),
    }));
  });
}

function shown(field: ReadingField, value: number | string | boolean): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  return field === 'socRatio' ? (value * 100).toFixed(1) : value.toFixed(2);
}
