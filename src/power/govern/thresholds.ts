/**
 * Where the states begin and end. Each pair is [pause, resume]: a state is left downwards
 * below the first and comes back at the second. Without a state of charge the battery's voltage stands in, with figures of its own.
 */

import { HubError } from '../../base/errors.ts';

export type Chemistry = 'lifepo4' | 'lead-acid';

export interface Step {
  readonly pause: number;
  readonly resume: number;
}

/** In percent of charge, or in volts of the whole battery. */
export interface Thresholds {
  /** Below `pause`: saver. Normal again at `resume`. */
  readonly bulk: Step;
  /** Below `pause`: critical. Saver again at `resume`. */
  readonly telemetry: Step;
  /** Below this even alarms stop: shutdown. */
  readonly alarmsStop: number;
  /** Ready to power off below `pause`; out of shutdown at `resume`. */
  readonly shutdown: Step;
}

export interface PowerThresholds {
  readonly percent: Thresholds;
  readonly volts: Thresholds;
}

const DEFAULTS: Readonly<Record<Chemistry, PowerThresholds>> = {
  lifepo4: {
    percent: {
      bulk: { pause: 45, resume: 55 },
      telemetry: { pause: 22, resume: 30 },
      alarmsStop: 15,
      shutdown: { pause: 10, resume: 25 },
    },
    volts: {
      bulk: { pause: 13.1, resume: 13.3 },
      telemetry: { pause: 12.9, resume: 13.2 },
      alarmsStop: 12.6,
      shutdown: { pause: 12.4, resume: 13.2 },
    },
  },
  'lead-acid': {
    percent: {
      bulk: { pause: 65, resume: 75 },
      telemetry: { pause: 50, resume: 60 },
      alarmsStop: 43,
      shutdown: { pause: 40, resume: 55 },
    },
    volts: {
      bulk: { pause: 12.4, resume: 12.7 },
      telemetry: { pause: 12.2, resume: 12.5 },
      alarmsStop: 11.9,
      shutdown: { pause: 11.7, resume: 12.6 },
    },
  },
};

/** Surplus begins above this charge, with the panel giving more than the load takes, and ends below the second. */
export const SURPLUS_PERCENT: Step = { pause: 88, resume: 92 };

/** What the config says instead of a default; volts are those of the whole battery. */
export type ThresholdOverrides = {
  readonly [Key in `${(typeof NAMES)[number]}${'Pct' | 'V'}`]?: number | undefined;
};

const NAMES = [
  'bulkPause',
  'bulkResume',
  'telemetryPause',
  'telemetryResume',
  'alarmsStop',
  'shutdown',
  'restart',
] as const;

/**
 * Defaults for a chemistry, volts scaled from the 12 V of the table to the battery's own, with the config's
 * own figures in their place. Throws `config.invalid` where they do not rise as they must.
 */
export function thresholdsFor(
  chemistry: Chemistry,
  nominalVolts: number,
  overrides: ThresholdOverrides = {},
): PowerThresholds {
  const { percent, volts } = DEFAULTS[chemistry];
  return {
    percent: overridden(percent, 1, 'Pct', overrides),
    volts: overridden(volts, nominalVolts / 12, 'V', overrides),
  };
}

function overridden(
  defaults: Thresholds,
  factor: number,
  unit: 'Pct' | 'V',
  overrides: ThresholdOverrides,
): Thresholds {
  const { bulk, telemetry, alarmsStop, shutdown } = defaults;
  const value = (name: (typeof NAMES)[number], fallback: number): number =>
    overrides[`${name}${unit}`] ?? fallback * factor;
  const merged = {
    bulk: { pause: value('bulkPause', bulk.pause), resume: value('bulkResume', bulk.resume) },
    telemetry: {
      pause: value('telemetryPause', telemetry.pause),
      resume: value('telemetryResume', telemetry.resume),
    },
    alarmsStop: value('alarmsStop', alarmsStop),
    shutdown: {
      pause: value('shutdown', shutdown.pause),
      resume: value('restart', shutdown.resume),
    },
  };
  assertRising(merged, unit);
  return merged;
}

/** The order without which the states make no sense; restart only has to be above the alarms' end. */
function assertRising(thresholds: Thresholds, unit: 'Pct' | 'V'): void {
  const { bulk, telemetry, alarmsStop, shutdown } = thresholds;
  const rising =
    shutdown.pause <= alarmsStop &&
    alarmsStop < telemetry.pause &&
    telemetry.pause < telemetry.resume &&
    telemetry.pause < bulk.pause &&
    bulk.pause < bulk.resume &&
    telemetry.resume <= bulk.resume &&
    alarmsStop < shutdown.resume;
  if (rising) return;
  const figures = `shutdown ${shutdown.pause}, alarms stop ${alarmsStop}, telemetry ${telemetry.pause}/${telemetry.resume}, bulk ${bulk.pause}/${bulk.resume}`;
  throw new HubError(
    'config.invalid',
    `power.thresholds (${unit === 'V' ? 'volts' : 'percent'}, with defaults filled in) must rise: ${figures}`,
  );
}
