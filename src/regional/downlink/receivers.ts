/**
 * What is known of the hubs that take what flows down: what each has, by its newest hello and its receipts since, and the
 * batch that is on its way to it. One process remembers it in memory and learns it anew from the next hellos; workers of a
 * fleet share it in their database, for a hub's hello and its receipt may come to two of them.
 */
import { OneAtATime } from '../../base/queue.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import type { LaneRange } from '../../batch/ranges.ts';
import type { OpClass } from '../../model/class.ts';
import type { Origin } from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { Refused } from './refused.ts';

/** A batch on its way to a hub. */
export interface Underway {
  readonly batch: BatchId;
  readonly class: OpClass;
  readonly ops: number;
  /** How far the hub has the lanes of the batch once it has taken it. */
  readonly reaches: VersionVector;
  readonly bytes: Uint8Array;
}

export interface Receiver {
  readonly takes: readonly OpClass[];
  readonly vector: VersionVector;
  /** What its card has lost and was not given back yet. */
  readonly lacks?: readonly LaneRange[];
  /** X25519 public key that its batches are encrypted to; undefined: it has told none. */
  readonly sealKey?: Uint8Array | undefined;
  readonly underway?: Underway | undefined;
  readonly refused?: Refused | undefined;
}

/** What becomes of a receiver; undefined: it stays as it is. */
export interface ReceiverChange<T> {
  readonly receiver?: Receiver;
  readonly result: T;
}

export interface ReceiverBook {
  /** Undefined where the hub was not heard, or takes nothing down. */
  get(hub: Origin): Promise<Receiver | undefined>;
  /** Changes one receiver; of one hub one change at a time, whichever worker makes it. Kept when this resolves. */
  change<T>(
    hub: Origin,
    change: (known: Receiver | undefined) => Promise<ReceiverChange<T>>,
  ): Promise<T>;
  /** Hubs that may listen now and have nothing on its way. */
  idle(): Promise<Origin[]>;
}

/** Beyond, the hub that was heard longest ago is forgotten until its next hello. */
const RECEIVERS_MAX = 1_000;

/** Of one process. */
export class MemoryReceivers implements ReceiverBook {
  readonly #receivers = new Map<Origin, Receiver>();
  readonly #changes = new Map<Origin, OneAtATime>();

  async get(hub: Origin): Promise<Receiver | undefined> {
    return this.#receivers.get(hub);
  }

  change<T>(
    hub: Origin,
    change: (known: Receiver | undefined) => Promise<ReceiverChange<T>>,
  ): Promise<T> {
    const changes = this.#changes.get(hub) ?? new OneAtATime();
    this.#changes.set(hub, changes);
    return changes.do(async () => {
      const { receiver, result } = await change(this.#receivers.get(hub));
      if (receiver !== undefined) this.#keep(hub, receiver);
      return result;
    });
  }

  async idle(): Promise<Origin[]> {
    return [...this.#receivers].flatMap(([hub, { underway }]) => (underway ? [] : [hub]));
  }

  #keep(hub: Origin, receiver: Receiver): void {
    this.#receivers.delete(hub);
    const [oldest] = this.#receivers.keys();
    if (this.#receivers.size >= RECEIVERS_MAX && oldest !== undefined) {
      this.#receivers.delete(oldest);
      this.#changes.delete(oldest);
    }
    this.#receivers.set(hub, receiver);
  }
}
