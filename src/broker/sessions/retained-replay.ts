/**
 * Retained messages owed to new subscriptions [MQTT-3.3.1-6], sent as fast as the client takes them. Filters wait
 * unresolved and each topic gives what it holds when its turn comes, so that ten thousand topics asked for by
 * a thousand filters cost no memory, and a value that was replaced meanwhile is never sent after the new one.
 */
import type { Qos } from '../contract.ts';
import type { Message } from '../topics/message.ts';
import type { RetainedSlot, RetainedStore } from '../topics/retained.ts';

interface Replayed {
  readonly message: Message;
  readonly qos: Qos;
}

/** Filters that are resolved in one turn of the event loop; a filter with wildcards may visit every topic. */
const FILTERS_PER_TURN = 16;

export class RetainedReplay {
  readonly #store: RetainedStore;
  /** Each filter once, however often it was subscribed to. */
  readonly #qosByFilter = new Map<string, Qos>();
  #slots: readonly RetainedSlot[] = [];
  #next = 0;
  #qos: Qos = 0;

  constructor(store: RetainedStore) {
    this.#store = store;
  }

  get isEmpty(): boolean {
    return this.#next === this.#slots.length && this.#qosByFilter.size === 0;
  }

  add(filter: string, qos: Qos): void {
    this.#qosByFilter.delete(filter); // To the end of the line.
    this.#qosByFilter.set(filter, qos);
  }

  /** The next message; `later` where enough was looked up in this turn; undefined where nothing is owed. */
  next(isSubscribed: (filter: string) => boolean): Replayed | 'later' | undefined {
    for (let resolved = 0; ;) {
      const slot = this.#slots[this.#next];
      if (slot === undefined) {
        this.#slots = [];
        this.#next = 0;
        const [wanted] = this.#qosByFilter;
        if (wanted === undefined) return undefined;
        if (resolved++ === FILTERS_PER_TURN) return 'later';
        const [filter, qos] = wanted;
        this.#qosByFilter.delete(filter);
        if (isSubscribed(filter)) this.#slots = this.#store.match(filter);
        this.#qos = qos;
        continue;
      }
      this.#next += 1;
      const { message } = slot;
      if (message !== undefined) return { message, qos: Math.min(message.qos, this.#qos) as Qos };
    }
  }
}
