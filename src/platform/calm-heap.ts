/** Memory of a process that runs for months: how far V8's heaps may grow beyond what lives in them, and Node's pool. */
import { Buffer } from 'node:buffer';
import { getHeapSpaceStatistics, type HeapSpaceInfo, setFlagsFromString } from 'node:v8';

/** Both halves of the young heap, when each holds 8 MB. */
const YOUNG_BYTES_ENOUGH = 15e6;
/** The old heap may grow by so much, between a half and two times what lives: by less where it grows slowly. */
const OLD_GROWTH_BYTES = { fast: 24e6, slow: 12e6 };
const SLOW_MS = 60_000;
const GROWTH_PERCENT = { least: 50, most: 200 };
const OLD_SPACES: ReadonlySet<string> = new Set(['old_space', 'large_object_space', 'code_space']);
const LOOK_MS = 1_000;
const POOL_BYTES = 1_024;

/**
 * For what runs for months.
 *
 * The old heap grows by 24 MB. By V8's own measure a hub of 12 MB was looked through five times a second in a burst, each with a pause of 3 to
 * 7 ms: every hundredth acknowledgement waited for one. Three times as much spared that, and cost 80 MB where 40 lived: uplink,
 * peers and devices with the SDK. Where it takes more than a minute to grow, by 12 MB: under steady load memory rose by 30 MB in ten minutes
 * for a pause that was spared every five. V8 can be told a percentage only, so it is said anew when what lives has changed.
 *
 * The young heap stays at half of what V8 would let it have: folding after a burst used the other 12 MB
 * and was no faster for it. Its limit can be set on the command line only, but whether it grows can be said at any time. V8 lets it shrink
 * when it has looked through the old one, and then it may grow again: left small, it is emptied seven times as often, what is in
 * use at that moment becomes old, and every hundredth acknowledgement takes twice as long.
 *
 * Small buffers are cut from pieces of 1 KiB, not 8: one that is kept keeps its piece. MQTT.js keeps one for each length of a
 * packet below 16 KiB that it has ever sent, which could become 130 MB.
 */
export function calmHeap(): void {
  Buffer.poolSize = POOL_BYTES;
  const said = new Map<string, number>();
  const say = (flag: string, value: number): void => {
    if (said.get(flag) !== value) setFlagsFromString(`--${flag}=${value}`);
    said.set(flag, value);
  };
  const old = new OldHeap();
  const look = (): void => {
    const spaces = getHeapSpaceStatistics();
    say('heap-growing-percent', old.growthPercent(spaces, performance.now()));
    say('semi-space-growth-factor', youngGrowth(spaces));
  };
  look();
  setInterval(look, LOOK_MS).unref();
}

/** The old heap, looked at now and then. */
export class OldHeap {
  /** What was in it when the collector had last looked through it, and when that was. */
  #livingBytes = 0;
  #livingMs = Number.NEGATIVE_INFINITY;
  #lastBytes = Number.POSITIVE_INFINITY;

  /** By how much it may grow beyond what lives. */
  growthPercent(
    spaces: readonly Pick<HeapSpaceInfo, 'space_name' | 'space_used_size'>[],
    nowMs: number,
  ): number {
    let bytes = 0;
    for (const { space_name: name, space_used_size: used } of spaces) {
      if (OLD_SPACES.has(name)) bytes += used;
    }
    if (bytes < this.#lastBytes) {
      this.#livingBytes = bytes;
      this.#livingMs = nowMs;
    }
    this.#lastBytes = bytes;
    const growth = nowMs - this.#livingMs < SLOW_MS ? OLD_GROWTH_BYTES.fast : OLD_GROWTH_BYTES.slow;
    const percent = Math.round((100 * growth) / Math.max(1, this.#livingBytes));
    return Math.min(GROWTH_PERCENT.most, Math.max(GROWTH_PERCENT.least, percent));
  }
}

/** By what the young heap is multiplied when it grows. */
export function youngGrowth(
  spaces: readonly Pick<HeapSpaceInfo, 'space_name' | 'space_size'>[],
): 1 | 2 {
  const young = spaces.find(({ space_name: name }) => name === 'new_space');
  return (young?.space_size ?? 0) < YOUNG_BYTES_ENOUGH ? 2 : 1;
}

/**
 * For work that nobody waits for in milliseconds: to one and a half times as much. A month of the pilot keeps 40 MB
 * alive; by V8's own measure the heap grew to 120, and what it held outside with it. The young heap stays at half as well.
 */
export function smallHeap(): void {
  setFlagsFromString('--heap-growing-percent=50');
  setInterval(() => {
    const factor = youngGrowth(getHeapSpaceStatistics());
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  }, LOOK_MS).unref();
}
