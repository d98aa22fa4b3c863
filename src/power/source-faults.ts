/** What is wrong with a power source, for the person on site: it is silent, or what it tells cannot be. */
import type { Clock } from '../base/clock.ts';
import { type FaultCode, FAULTS } from '../base/errors.ts';
import type { Suspect } from './estimate/plausibility.ts';
import { figureText } from './probe.ts';

export interface PowerFault {
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
    return [{ code, hint: FAULTS[code], message: `${name}: ${reason}`, sinceMs: wallMs }];
  }
  const code = 'power.sensor-odd';
  return suspects
    .filter(({ times }) => times >= ODD_TIMES)
    .map(({ field, value, sinceMs }) => ({
      code,
      hint: FAULTS[code],
      message: `${name}: a ${figureText(field, value)} is not believed`,
      sinceMs: clock.wallMs() - (clock.monotonicMs() - sinceMs),
    }));
}
