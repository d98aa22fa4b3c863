/**
 * What a pilot is about: the site, its weather, how long, and what may go wrong. Everything else follows from the
 * seed, so that the same scenario is the same month, to the byte.
 */
import { type Place, SeededSky, type Sky } from '../platform/sim/sky.ts';
import type { SitePreset } from './world/light-model.ts';

/** What goes wrong in the field; each can be left out. */
export const FAULT_KINDS = [
  'power-cut',
  'kill',
  'clock',
  'card',
  'flood',
  'region-down',
  'link',
  'metered',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Scenario {
  readonly preset: SitePreset;
  readonly seed: number;
  readonly days: number;
  /** True time of the first minute. */
  readonly startMs: number;
  readonly place: Place;
  readonly sky: Sky;
  /** For the report: "seed 7" or the name of the trace. */
  readonly weather: string;
  readonly devices: number;
  readonly faults: ReadonlySet<FaultKind>;
  /** What the contract of the link lets it carry in a calendar month; absent: as much as it will. */
  readonly quotaMib?: number | undefined;
  /** Days into the trace at which the month begins. */
  readonly fromDay?: number;
}

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Miami, where the trace that the policy was tuned on comes from. */
const DEFAULT_PLACE: Place = { latitude: 25.8, longitude: -80.3 };
/** 2026-01-10T05:20Z: midnight there. */
const FIRST_START_MS = 1_768_022_400_000;

/** A month of its own for each seed: winter, spring, autumn. */
export function seededScenario(
  seed: number,
  parts: Pick<Scenario, 'preset' | 'days' | 'devices' | 'faults' | 'quotaMib'>,
): Scenario {
  return {
    ...parts,
    seed,
    startMs: FIRST_START_MS + (seed % 12) * 30 * DAY_MS,
    place: DEFAULT_PLACE,
    sky: new SeededSky(DEFAULT_PLACE, seed),
    weather: `seed ${seed}`,
  };
}
