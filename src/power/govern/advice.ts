/**
 * What the power state means for the rest of the hub and for its devices (`hub/power`): how often devices
 * should send, whether previews are made, how other hubs and a way that does not answer are asked. Pure.
 */
import { type ClassName, CLASSES, type OpClass, CLASS_NAMES } from '../../model/class.ts';
import type { Decision, PowerState } from './decision.ts';

export interface Advice {
  /** Seconds that devices should leave between messages of a class; 0: as they like. */
  readonly minIntervalS: Readonly<Partial<Record<ClassName, number>>>;
  /** When the uplink is next expected to open for what waits (wall clock), where that can be told. */
  readonly nextUplinkMs: number | undefined;
  readonly makePreviews: boolean;
  /** How long records and readings gather before they go to other hubs of the site; alarms and commands never do. */
  readonly peerIntervalS: number;
  /** What the pauses between attempts that come to nothing grow to, at least: each one is a probe of the way upstream. */
  readonly probeIntervalS: number;
}

interface Row {
  readonly telemetryS: number;
  readonly makePreviews: boolean;
  readonly peerIntervalS: number;
  readonly probeIntervalS: number;
}

const PLENTY = { telemetryS: 0, makePreviews: true, peerIntervalS: 0 } as const;
const SHORT = {
  telemetryS: 300,
  makePreviews: false,
  peerIntervalS: 60,
  probeIntervalS: 1_800,
} as const;
const SCARCE = {
  telemetryS: 900,
  makePreviews: false,
  peerIntervalS: 60,
  probeIntervalS: 3_600,
} as const;

const ROWS: Readonly<Record<PowerState, Row>> = {
  surplus: { ...PLENTY, probeIntervalS: 300 },
  normal: { ...PLENTY, probeIntervalS: 900 },
  saver: SHORT,
  unknown: SHORT,
  critical: SCARCE,
  shutdown: { ...SCARCE, telemetryS: 3_600 },
};

/** Classes that may be thinned out, each so many times rarer than telemetry. */
const THINNED: readonly (readonly [OpClass, number])[] = [
  [3, 1],
  [4, 4],
  [5, 12],
];

export function adviceOf(decision: Decision): Advice {
  const { telemetryS, ...row } = ROWS[decision.state];
  const minIntervalS = Object.fromEntries(
    THINNED.map(([opClass, times]) => [CLASS_NAMES[opClass], telemetryS * times]),
  );
  const opensNow = CLASSES.some((opClass) => opClass > 1 && decision.allowed.includes(opClass));
  const ends = decision.deferred.map((it) => it.untilMs).filter((it) => it !== undefined);
  const nextUplinkMs = opensNow ? decision.at : ends.length === 0 ? undefined : Math.min(...ends);
  return { minIntervalS, nextUplinkMs, ...row };
}
