/**
 * What the power state means for the rest of the hub and for its devices (`hub/power`): how often devices
 * should send, how long a commit may linger, whether previews are made and peers are asked. Pure.
 */
import { type ClassName, CLASSES, type OpClass, CLASS_NAMES } from '../../model/class.ts';
import type { Decision, PowerState } from './decision.ts';

export interface Advice {
  /** Seconds that devices should leave between messages of a class; 0: as they like. */
  readonly minIntervalS: Readonly<Partial<Record<ClassName, number>>>;
  /** When the uplink is next expected to open for what waits (wall clock), where that can be told. */
  readonly nextUplinkMs: number | undefined;
  /** How long a commit may wait for company: fewer syncs, less energy, a later acknowledgement. */
  readonly lingerMs: number;
  readonly makePreviews: boolean;
  /** Between asking peers, and between probing links. */
  readonly peerIntervalS: number;
  readonly probeIntervalS: number;
}

interface Row {
  readonly telemetryS: number;
  readonly lingerMs: number;
  readonly makePreviews: boolean;
  readonly peerIntervalS: number;
  readonly probeIntervalS: number;
}

const ROWS: Readonly<Record<PowerState, Row>> = {
  surplus: {
    telemetryS: 0,
    lingerMs: 0,
    makePreviews: true,
    peerIntervalS: 30,
    probeIntervalS: 30,
  },
  normal: { telemetryS: 0, lingerMs: 0, makePreviews: true, peerIntervalS: 60, probeIntervalS: 60 },
  saver: {
    telemetryS: 300,
    lingerMs: 10,
    makePreviews: false,
    peerIntervalS: 300,
    probeIntervalS: 300,
  },
  critical: {
    telemetryS: 900,
    lingerMs: 50,
    makePreviews: false,
    peerIntervalS: 1_800,
    probeIntervalS: 900,
  },
  shutdown: {
    telemetryS: 3_600,
    lingerMs: 50,
    makePreviews: false,
    peerIntervalS: 3_600,
    probeIntervalS: 3_600,
  },
  unknown: {
    telemetryS: 300,
    lingerMs: 10,
    makePreviews: false,
    peerIntervalS: 300,
    probeIntervalS: 300,
  },
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
