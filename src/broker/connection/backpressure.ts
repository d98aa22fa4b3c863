/**
 * Whether a connection is read: not while there is a reason to let it wait. What its peer writes piles up in the kernel
 * then. One reason is that it has had its turn: Node reads up to 2 MiB from one socket before it looks at another, which is
 * a million of the smallest packets.
 */
import type { Counters } from '../counters.ts';
import type { Connection } from '../../platform/network/network.ts';

/** Why a connection waits: bits of a set. */
export const WAIT_FOR = {
  /** Whether it may come in. */
  gatekeeper: 1,
  /** The card is behind. */
  card: 2,
  /** The client does not take answers. */
  client: 4,
  /** Its subscriptions are not durable yet, which what it sends behind them may count on. */
  subscriptions: 8,
  /** It has said goodbye, and what it published has no acknowledgement yet. */
  acks: 16,
  /** It has had its turn, and others want theirs. */
  turn: 32,
} as const;

/** Packets of one client that are dealt with before others have their turn. */
const PACKETS_PER_TURN = 1000;

export class Backpressure {
  readonly #connection: Pick<Connection, 'pause' | 'resume'>;
  readonly #counters: Pick<Counters, 'packetsIn'>;
  #reasons = 0;
  /** What the count of packets may come to in this turn. */
  #turnEnd = 0;

  constructor(
    connection: Pick<Connection, 'pause' | 'resume'>,
    counters: Pick<Counters, 'packetsIn'>,
  ) {
    this.#connection = connection;
    this.#counters = counters;
  }

  /** Packets of this client follow, and of no other. */
  beginTurn(): void {
    this.#turnEnd = this.#counters.packetsIn + PACKETS_PER_TURN;
  }

  get isTurnOver(): boolean {
    return this.#counters.packetsIn > this.#turnEnd;
  }

  get isPaused(): boolean {
    return this.#reasons !== 0;
  }

  isPausedBy(reason: number): boolean {
    return (this.#reasons & reason) !== 0;
  }

  pause(reason: number): void {
    if (this.#reasons === 0) this.#connection.pause();
    this.#reasons |= reason;
  }

  /** Takes a reason away; the caller deals with what was held, if none is left, and calls `resume`. */
  clear(reason: number): void {
    this.#reasons &= ~reason;
  }

  /** Reads on, unless there is a reason again. */
  resume(): void {
    if (this.#reasons === 0) this.#connection.resume();
  }
}
