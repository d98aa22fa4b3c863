/**
 * Which hub a brief topic is of (BATCH.md §4). A worker of a fleet hears hubs that another one has greeted, so who is not known is
 * looked for among all that were met, but not with every message that somebody makes up.
 */
import type { Clock } from '../../base/clock.ts';
import { briefNameOf, type HubAddress } from '../../batch/wire/topics.ts';
import type { Site } from '../site.ts';

const LOOK_MS = 1_000;

interface HubNamesOptions {
  readonly clock: Clock;
  /** All sites that are there. */
  readonly sites: () => Promise<readonly Site[]>;
}

export class HubNames {
  readonly #options: HubNamesOptions;
  readonly #known = new Map<string, HubAddress>();
  #lookedMs = -Infinity;

  constructor(options: HubNamesOptions) {
    this.#options = options;
  }

  met(address: HubAddress): void {
    this.#known.set(briefNameOf(address.hub), address);
  }

  /** Undefined where nobody has met such a hub. */
  async of(name: string): Promise<HubAddress | undefined> {
    const nowMs = this.#options.clock.monotonicMs();
    if (!this.#known.has(name) && nowMs - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = nowMs;
      for (const site of await this.#options.sites()) {
        for (const { hub } of await site.storage.hubs()) this.met({ site: site.name, hub });
      }
    }
    return this.#known.get(name);
  }
}
