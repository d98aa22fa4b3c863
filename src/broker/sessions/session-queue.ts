/**
 * QoS 1 and 2 messages that wait for a session's client. Bounded by number and bytes of its own, and by a
 * budget that all sessions share; beyond, the oldest are cut and counted: what a device that was away for long
 * needs first is what was said last.
 *
 * The interface is small on purpose: messages know their LSN, so a queue that keeps only LSNs and reads the
 * journal when it drains can take this one's place.
 */
import { Fifo } from '../fifo.ts';
import { type Message, messageBytes } from '../topics/message.ts';

interface Queued {
  readonly message: Message;
  readonly qos: 1 | 2;
}

/** What waits for all sessions together. */
export interface QueueBudget {
  bytes: number;
  readonly bytesMax: number;
}

interface QueueLimits {
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
}

export class SessionQueue {
  readonly #limits: QueueLimits;
  readonly #budget: QueueBudget;
  readonly #waiting = new Fifo<Queued>();
  #bytes = 0;

  constructor(limits: QueueLimits, budget: QueueBudget) {
    this.#limits = limits;
    this.#budget = budget;
  }

  get size(): number {
    return this.#waiting.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a message; returns how many were cut to stay within the limits, itself included. */
  push(message: Message, qos: 1 | 2): number {
    this.#waiting.push({ message, qos });
    this.#account(messageBytes(message));
    let cut = 0;
    while (this.#isBeyondLimits()) {
      this.shift();
      cut += 1;
    }
    return cut;
  }

  shift(): Queued | undefined {
    const queued = this.#waiting.shift();
    if (queued !== undefined) this.#account(-messageBytes(queued.message));
    return queued;
  }

  /** Forgets everything. */
  clear(): void {
    while (this.shift() !== undefined);
  }

  #isBeyondLimits(): boolean {
    if (this.size === 0) return false;
    return (
      this.size > this.#limits.queueMessagesMax ||
      this.#bytes > this.#limits.queueBytesMax ||
      this.#budget.bytes > this.#budget.bytesMax
    );
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.bytes += bytes;
  }
}
