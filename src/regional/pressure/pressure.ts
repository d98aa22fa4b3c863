/**
 * What the node says to hubs that should wait (BATCH.md §6): those whose quota of the day is spent, until it begins anew,
 * and everyone for some seconds while more work waits here than is done soon. A hub that is told so saves the energy of
 * sending what would be left lying.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import { ChunkBitmap } from '../../batch/wire/chunks.ts';
import type { Signer } from '../../batch/manifest.ts';
import { encodeHave } from '../../batch/wire/messages.ts';
import type { AskedToWait } from '../../batch/wire/asked-to-wait.ts';
import { ALARM, COMMAND } from '../../model/class.ts';
import type { Origin } from '../../model/origin.ts';
import type { Site } from '../site.ts';
import type { Spent } from '../site-storage.ts';
import type { WorkQueue } from '../arriving/work-queue.ts';

interface PressureOptions {
  readonly queue: Pick<WorkQueue, 'waiting'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signer: Signer;
}

/** Pieces of work that may wait before hubs are asked to. */
export const OVERLOAD_PIECES = 500;
/** Hubs come back spread over this time, not all at once. */
const OVERLOAD_S_MIN = 10;
const OVERLOAD_S_SPREAD = 30;
const DAY_S = 86_400;
const QUOTA_S_SPREAD = 300;
/** A hub is told so once in this time: its chunks that are on the way are not each answered. */
const TOLD_MS = 10_000;
const TOLD_MAX = 10_000;
/**
 * The storage is asked whether the quota of a hub is spent when so much has come since, not with each chunk. What comes before
 * the word does is at the cost of the reserve, of which this is a quarter.
 */
const ASKED_MS = 2_000;
const ASKED_BYTES = 128 << 10;
const TOO_MUCH = 'more is on its way to it than it can take';
const URGENT = [ALARM, COMMAND] as const;
const SPENT = 'the quota of the day is spent';

export class Pressure {
  readonly #options: PressureOptions;
  readonly #toldMs = new Map<string, number>();
  /** When the quota of a hub was found to have room, and how much has come since. */
  readonly #roomByHub = new Map<string, { readonly atMs: number; bytes: number }>();

  constructor(options: PressureOptions) {
    this.#options = options;
  }

  /** For every hub; undefined while there is no more work than is done soon. */
  get wait(): AskedToWait | undefined {
    if (this.#options.queue.waiting < OVERLOAD_PIECES) return undefined;
    return { seconds: this.#spread(OVERLOAD_S_MIN, OVERLOAD_S_SPREAD), why: TOO_MUCH };
  }

  /** For a hub that greets; undefined where its quota is not spent. */
  async afterQuota({ name, storage }: Site, hub: Origin): Promise<AskedToWait | undefined> {
    const spent = await storage.spent(hub);
    return spent === 'no' ? undefined : this.#untilTomorrow(name, hub, spent);
  }

  /** The word to a hub whose chunk has spent its quota, or was beyond it; undefined where it was said a moment ago. */
  async holdOff(
    site: Site,
    {
      hub,
      batch,
      total,
      bytes,
    }: {
      readonly hub: Origin;
      readonly batch: BatchId;
      readonly total: number;
      readonly bytes: number;
    },
    isDropped: boolean,
  ): Promise<Uint8Array | undefined> {
    const key = `${site.name}/${hub}`;
    if (this.#wasTold(`${key}/${isDropped ? 'all' : 'quota'}`)) return undefined;
    if (!isDropped && this.#hasRoom(key, bytes)) return undefined;
    const spent = isDropped ? 'all' : await site.storage.spent(hub);
    if (spent === 'no') {
      if (this.#roomByHub.size >= TOLD_MAX) this.#roomByHub.clear();
      this.#roomByHub.set(key, { atMs: this.#options.clock.monotonicMs(), bytes: 0 });
      return undefined;
    }
    this.#note(`${key}/${spent}`);
    const wait = this.#untilTomorrow(site.name, hub, spent);
    const chunks = (await site.storage.have(hub, batch)) ?? new ChunkBitmap(total);
    return encodeHave({ hub, batch, chunks, wait }, this.#options.signer);
  }

  #hasRoom(key: string, bytes: number): boolean {
    const room = this.#roomByHub.get(key);
    if (room === undefined) return false;
    room.bytes += bytes;
    const ageMs = this.#options.clock.monotonicMs() - room.atMs;
    return ageMs < ASKED_MS && room.bytes < ASKED_BYTES;
  }

  #wasTold(what: string): boolean {
    const toldMs = this.#toldMs.get(what);
    return toldMs !== undefined && this.#options.clock.monotonicMs() - toldMs < TOLD_MS;
  }

  #note(what: string): void {
    if (this.#toldMs.size >= TOLD_MAX) this.#toldMs.clear();
    this.#toldMs.set(what, this.#options.clock.monotonicMs());
  }

  /** Alarms and commands go on, at the cost of the reserve, until that is gone, too. */
  #untilTomorrow(site: string, hub: Origin, spent: Exclude<Spent, 'no'>): AskedToWait {
    const { clock, log } = this.#options;
    const ofDayS = Math.floor(clock.wallMs() / 1_000) % DAY_S;
    const seconds = this.#spread(DAY_S - ofDayS, QUOTA_S_SPREAD);
    log.info('regional.quota.spent', { site, hub, spent, waitS: seconds });
    return spent === 'all' ? { seconds, why: SPENT } : { seconds, why: SPENT, takes: URGENT };
  }

  #spread(seconds: number, bySeconds: number): number {
    return seconds + Math.floor(this.#options.random.fraction() * bySeconds);
  }
}
