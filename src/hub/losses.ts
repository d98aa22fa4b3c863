/**
 * What the limits of the broker cost: messages that gave way at a client that takes too little, and messages that found no
 * room among those that are retained. Publishers have their acknowledgement and subscribers cannot know what they
 * miss, so a person is told, for as long as it goes on.
 */
import type { BrokerStat } from '../broker/counters.ts';
import type { Clock } from '../base/clock.ts';
import type { FoundFault } from '../status/fault-book.ts';

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

export class Losses {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #gaveWay = new Growth();
  readonly #notRetained = new Growth();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  faults(stat: Pick<BrokerStat, 'dropped' | 'cut' | 'slowClient' | 'notRetained'>): FoundFault[] {
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
    return found;
  }
}
