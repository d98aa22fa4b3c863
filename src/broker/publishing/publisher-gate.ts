/**
 * Holds back publishers while the card is slower than they are: their sockets are not read, the kernel's
 * buffers fill, and memory stays what it is. When a commit brings relief they go on in the order they were
 * stopped, a few at a time, so that all of them together do not overrun the door again.
 */
export interface HeldPublisher {
  /** Reads on; it may be held again at once. */
  goOn(): void;
}

const RESUMED_AT_ONCE = 64;

export class PublisherGate {
  readonly #door: { readonly saturated: boolean };
  readonly #soon: (callback: () => void) => void;
  /** In the order they were stopped. */
  readonly #held = new Set<HeldPublisher>();
  #isScheduled = false;

  constructor(door: { readonly saturated: boolean }, soon: (callback: () => void) => void) {
    this.#door = door;
    this.#soon = soon;
  }

  get heldCount(): number {
    return this.#held.size;
  }

  /** Takes a publisher that has stopped reading. */
  hold(publisher: HeldPublisher): void {
    this.#held.add(publisher);
  }

  /** The publisher is gone. */
  release(publisher: HeldPublisher): void {
    this.#held.delete(publisher);
  }

  /** Lets some go on, if the door has room; called at every commit. */
  relieve(): void {
    let resumed = 0;
    for (const publisher of this.#held) {
      if (resumed === RESUMED_AT_ONCE || this.#door.saturated) break;
      resumed += 1;
      this.#held.delete(publisher);
      publisher.goOn();
    }
    if (this.#held.size === 0 || this.#door.saturated || this.#isScheduled) return;
    this.#isScheduled = true;
    this.#soon(() => {
      this.#isScheduled = false;
      this.relieve();
    });
  }
}
