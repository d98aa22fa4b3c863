/** What hubs have sent today (UTC), in the memory of one process: a restart begins the day anew. */
import type { Clock } from '../../base/clock.ts';
import { CHUNK_MESSAGE_BYTES_MAX } from '../../batch/limits.ts';
import type { Origin } from '../../model/origin.ts';
import { quotaBytes } from '../limits.ts';
import type { Spent } from '../site-storage.ts';

const DAY_MS = 86_400_000;

export class DayQuota {
  readonly #clock: Clock;
  readonly #bytesByHub = new Map<Origin, number>();
  #day = 0;
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether another chunk of the largest size would be beyond one of the limits. */
  spent(hub: Origin, hubMib: number, siteMib: number): Spent {
    this.#beginDay();
    return spentOf(this.#bytesByHub.get(hub) ?? 0, this.#bytes, hubMib, siteMib);
  }

  /** Counts the bytes; false, and nothing is counted, where they are beyond one of the limits and its reserve. 0: no limit. */
  admits(hub: Origin, bytes: number, hubMib: number, siteMib: number): boolean {
    this.#beginDay();
    const ofHub = (this.#bytesByHub.get(hub) ?? 0) + bytes;
    const ofSite = this.#bytes + bytes;
    if (ofHub > quotaBytes(hubMib).withReserve) return false;
    if (ofSite > quotaBytes(siteMib).withReserve) return false;
    this.#bytesByHub.set(hub, ofHub);
    this.#bytes = ofSite;
    return true;
  }

  #beginDay(): void {
    const day = Math.floor(this.#clock.wallMs() / DAY_MS);
    if (day === this.#day) return;
    this.#day = day;
    this.#bytes = 0;
    this.#bytesByHub.clear();
  }
}

/** What has come of a hub and its site today against their limits, as if another chunk came. */
export function spentOf(ofHub: number, ofSite: number, hubMib: number, siteMib: number): Spent {
  const [hub, site] = [quotaBytes(hubMib), quotaBytes(siteMib)];
  const [next, nextOfSite] = [ofHub + CHUNK_MESSAGE_BYTES_MAX, ofSite + CHUNK_MESSAGE_BYTES_MAX];
  if (next > hub.withReserve || nextOfSite > site.withReserve) return 'all';
  return next > hub.quota || nextOfSite > site.quota ? 'quota' : 'no';
}
