/**
 * What is wrong with a power source, for the person on site: it is silent, or what it tells cannot be. The sync log tells of it
 * when it begins: what is decided from then on rests on less.
 */
import type { Clock } from '../base/clock.ts';
import { type FaultCode, FAULTS } from '../base/errors.ts';
import type { LastingDispute } from './estimate/agreement.ts';
import type { Suspect } from './estimate/plausibility.ts';
import { BLIND } from './estimate/wiring.ts';
import { figureText, valueText } from './probe.ts';

export interface PowerFault {
  /** What of which source; the figures of the message may change. */
  readonly about: string;
  readonly code: FaultCode;
  readonly hint: string;
  readonly message: string;
  /** Wall clock. */
  readonly sinceMs: number;
}

export interface Lost {
  readonly wallMs: number;
  readonly reason: string;
}

interface SourceHealth {
  readonly name: string;
  readonly lostSince: Lost | undefined;
  readonly suspects: readonly Suspect[];
}

/** One odd value, or two, are nothing to call somebody for. */
const ODD_TIMES = 3;

export function faultsOf({ name, lostSince, suspects }: SourceHealth, clock: Clock): PowerFault[] {
  if (lostSince !== undefined) {
    const { reason, wallMs } = lostSince;
    const code = 'power.source-lost';
    const message = `${name}: ${reason}`;
    return [{ about: name, code, hint: FAULTS[code], message, sinceMs: wallMs }];
  }
  const code = 'power.sensor-odd';
  // A charger without a meter of the load is no fault; the probe tells of it.
  return suspects
    .filter(({ times, why }) => times >= ODD_TIMES && why !== BLIND)
    .map(({ field, value, sinceMs, why }) => ({
      about: `${name} ${field}`,
      code,
      hint: FAULTS[code],
      message: `${name}: a ${figureText(field, value)} is not believed${why === undefined ? '' : `: ${why}`}`,
      sinceMs: clock.wallMs() - (clock.monotonicMs() - sinceMs),
    }));
}

export function disputeFault(dispute: LastingDispute, clock: Clock): PowerFault {
  const { field, believed, other, sinceMs } = dispute;
  const code = 'power.sources-differ';
  const figure = figureText(field, other.value);
  const counts = `${believed.source} stands before it in power.sources and is believed: ${valueText(field, believed.value)}`;
  return {
    about: `${other.source} ${field} ${believed.source}`,
    code,
    hint: FAULTS[code],
    message: `${other.source}: a ${figure}, but ${counts}`,
    sinceMs: clock.wallMs() - (clock.monotonicMs() - sinceMs),
  };
}

/** A wire that is loose tells of itself no more often. */
const TOLD_AGAIN_AFTER_MS = 3_600_000;

/** Which faults are news. Bounded: one entry a source and field. */
export class FaultNews {
  /** Told, or held without a break, up to then. */
  readonly #knownMsByAbout = new Map<string, number>();

  news(faults: readonly PowerFault[], nowMs: number): PowerFault[] {
    return faults.filter(({ about }) => {
      const knownMs = this.#knownMsByAbout.get(about) ?? -Infinity;
      this.#knownMsByAbout.set(about, nowMs);
      return nowMs - knownMs >= TOLD_AGAIN_AFTER_MS;
    });
  }
}
