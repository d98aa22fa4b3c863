/**
 * Since when each fault holds, and the log's word on it: page and status show only what holds now, and who comes a week later
 * reads the log. A fault that comes and goes is told once in ten minutes.
 */
import type { Clock } from '../base/clock.ts';
import { type FaultCode, FAULTS } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { isoTime } from '../base/iso-time.ts';
import type { FaultStatus } from './snapshot.ts';

const QUIET_MS = 10 * 60_000;

export interface FoundFault {
  readonly code: FaultCode;
  readonly message: string;
  /** Where it tells its own begin. */
  readonly sinceMs?: number;
}

interface Held {
  readonly sinceMs: number;
  readonly isLogged: boolean;
}

export class FaultBook {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #heldByCode = new Map<FaultCode, Held>();
  /** When the log told of it last; monotonic. */
  readonly #loggedMsByCode = new Map<FaultCode, number>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Takes what holds now; since when is as whoever found it says, or since it was first told. */
  told(found: readonly FoundFault[]): FaultStatus[] {
    const codes = new Set(found.map(({ code }) => code));
    for (const code of this.#heldByCode.keys()) if (!codes.has(code)) this.#ended(code);
    return found.map(({ code, message, sinceMs: ownMs }) => {
      const held = this.#heldByCode.get(code) ?? this.#began(code, message);
      const since = isoTime(ownMs ?? held.sinceMs);
      return { code, message, hint: FAULTS[code], since };
    });
  }

  #began(code: FaultCode, message: string): Held {
    const nowMs = this.#clock.monotonicMs();
    const isLogged = nowMs - (this.#loggedMsByCode.get(code) ?? -Infinity) >= QUIET_MS;
    if (isLogged) {
      this.#loggedMsByCode.set(code, nowMs);
      this.#log.warn('fault.began', { code, reason: message, hint: FAULTS[code] });
    }
    const held = { sinceMs: this.#clock.wallMs(), isLogged };
    this.#heldByCode.set(code, held);
    return held;
  }

  #ended(code: FaultCode): void {
    if (this.#heldByCode.get(code)?.isLogged === true) this.#log.info('fault.ended', { code });
    this.#heldByCode.delete(code);
  }
}
