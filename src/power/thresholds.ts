/**
 * Where the states begin and end (POWER.md §2). Each pair is [pause, resume]: a state is left downwards
 * below the first and comes back at the second. Without a state of charge the battery's voltage stands in, with figures of its own.
 */

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

/** Defaults for a chemistry; volts are scaled from the 12 V of the table to the battery's own. */
export function thresholdsFor(chemistry: Chemistry, nominalVolts: number): PowerThresholds {
  const factor = nominalVolts / 12;
  const { percent, volts } = DEFAULTS[chemistry];
  const scaled = (step: Step): Step => ({
    pause: step.pause * factor,
    resume: step.resume * factor,
  });
  return {
    percent,
    volts: {
      bulk: scaled(volts.bulk),
      telemetry: scaled(volts.telemetry),
      alarmsStop: volts.alarmsStop * factor,
      shutdown: scaled(volts.shutdown),
    },
  };
}
