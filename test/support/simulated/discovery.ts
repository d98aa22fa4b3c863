/** Simulated twin of machine-discovery.ts: everybody who opens hears everybody, a moment later, whatever `where` says. */
import type { Timers } from '../../../src/base/clock.ts';
import type {
  Announcement,
  Discovery,
  DiscoveryOptions,
  FoundService,
} from '../../../src/platform/network/discovery.ts';

export class SimDiscovery {
  readonly #timers: Timers;
  readonly #listeners = new Map<DiscoveryOptions, string>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** The network as a machine of that address sees it. */
  at(address: string): Discovery {
    return {
      open: async (options) => {
        for (const [other, from] of this.#listeners) {
          this.#tell(options, other.own, from, other.type);
        }
        this.#listeners.set(options, address);
        for (const listener of this.#listeners.keys()) {
          this.#tell(listener, options.own, address, options.type);
        }
        return { close: async () => void this.#listeners.delete(options) };
      },
    };
  }

  #tell(to: DiscoveryOptions, own: Announcement | undefined, address: string, type: string): void {
    if (own === undefined || type !== to.type) return;
    const found: FoundService = { ...own, address };
    this.#timers.soon(() => to.onFound(found));
  }
}
