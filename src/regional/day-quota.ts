/** What hubs have sent today (UTC), in the memory of one process: a restart begins the day anew. */
import type { Clock } from '../base/clock.ts';
import type { Origin } from '../model/origin.ts';

const DAY_MS = 86_400_000;
const MIB = 1 << 20;

export class DayQuota {
  readonly #clock: Clock;
  readonly #bytesByHub = new Map<Origin, number>();
  #day = 0;
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts the bytes; false, and nothing is counted, where they are beyond one of the limits. 0: no limit. */
  admits(hub: Origin, bytes: number, hubMib: number, siteMib: number): boolean {
    const day = Math.floor(this.#clock.wallMs() / DAY_MS);
    if (day !== this.#day) {
      this.#day = day;
      this.#bytes = 0;
      this.#bytesByHub.clear();
    }
    const ofHub = (this.#bytesByHub.get(hub) ?? 0) + bytes;
    const ofSite = this.#bytes + bytes;
    if (hubMib > 0 && ofHub > hubMib * MIB) return false;
    if (siteMib > 0 && ofSite > siteMib * MIB) return false;
    this.#bytesByHub.set(hub, ofHub);
    this.#bytes = ofSite;
    return true;
  }
}
