/**
 * What the limits of the broker cost: messages that gave way at a client that takes too little, messages that found no
 * room among those that are retained, and devices without a session. Publishers have their acknowledgement, subscribers cannot
 * know what they miss, and few devices have a display: so a person is told, for as long as it goes on.
 */
import type { BrokerStat } from '../../broker/counters.ts';
import type { Clock } from '../../base/clock.ts';
import type { FoundFault } from '../../status/fault-book.ts';

/** Whoever looks every half minute, as `hub/status` does, sees two more without a loss before it is over. */
const OVER_MS = 120_000;

/** A number that only grows, and when it was last seen to. */
class Growth {
  #value = 0;
  #grewMs = -Infinity;

  isRecent(value: number, nowMs: number): boolean {
    if (value > this.#value) this.#grewMs = nowMs;
    this.#value = value;
    return nowMs - this.#grewMs < OVER_MS;
  }
}

type LossFigure = 'dropped' | 'cut' | 'slowClient' | 'notRetained' | 'sessions' | 'sessionsRefused';

export class Losses {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #gaveWay = new Growth();
  readonly #notRetained = new Growth();
  readonly #sessionsRefused = new Growth();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  faults(stat: Pick<BrokerStat, LossFigure>): FoundFault[] {
    const nowMs = this.#clock.monotonicMs();
    const found: FoundFault[] = [];
    const gaveWay = stat.dropped + stat.cut;
    if (this.#gaveWay.isRecent(gaveWay, nowMs)) {
      // What was cut because the journal needs the room was nobody's in particular.
      const whose = stat.slowClient === '' ? '' : `, the last one of ${stat.slowClient}`;
      const message = `${gaveWay} messages gave way so far${whose}`;
      found.push({ code: 'broker.slow-client', message });
    }
    if (this.#notRetained.isRecent(stat.notRetained, nowMs)) {
      const message = `${stat.notRetained} messages were delivered and not retained so far`;
      found.push({ code: 'broker.retained-full', message });
    }
    if (this.#sessionsRefused.isRecent(stat.sessionsRefused, nowMs)) {
      const message = `${stat.sessions} sessions are kept, ${stat.sessionsRefused} attempts were turned away so far`;
      found.push({ code: 'broker.sessions-full', message });
    }
    return found;
  }
}
