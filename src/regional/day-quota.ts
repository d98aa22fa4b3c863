/** What hubs have sent today (UTC), in the memory of one process: a restart begins the day anew. */
import type { Clock } from '../base/clock.ts';
import { CHUNK_MESSAGE_BYTES_MAX } from '../batch/limits.ts';
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

  /** Whether another chunk of the largest size would be beyond one of the limits. */
  isSpent(hub: Origin, hubMib: number, siteMib: number): boolean {
    this.#beginDay();
    const ofHub = (this.#bytesByHub.get(hub) ?? 0) + CHUNK_MESSAGE_BYTES_MAX;
    const isHubSpent = hubMib > 0 && ofHub > hubMib * MIB;
    return isHubSpent || (siteMib > 0 && this.#bytes + CHUNK_MESSAGE_BYTES_MAX > siteMib * MIB);
  }

  /** Counts the bytes; false, and nothing is counted, where they are beyond one of the limits. 0: no limit. */
  admits(hub: Origin, bytes: number, hubMib: number, siteMib: number): boolean {
    this.#beginDay();
    const ofHub = (this.#bytesByHub.get(hub) ?? 0) + bytes;
    const ofSite = this.#bytes + bytes;
    if (hubMib > 0 && ofHub > hubMib * MIB) return false;
    if (siteMib > 0 && ofSite > siteMib * MIB) return false;
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
