/** The collector of V8: how far its heaps may grow beyond what lives in them. */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Both halves of the young heap, when each holds 8 MB. */
const YOUNG_BYTES_ENOUGH = 15e6;
const LOOK_MS = 1_000;

/**
 * For what runs for months: the old heap to three times as much. By V8's own measure a hub
 * of 12 MB did that five times a second in a burst, each with a pause of 3 to 7 ms: every hundredth acknowledgement waited
 * for one. It costs some 10 MB after a burst and nothing on an idle hub (Node 20, x64).
 *
 * The young heap stays at half of what V8 would let it have: folding after a burst used the other 12 MB
 * and was no faster for it. Its limit can be set on the command line only, but whether it grows can be said at any time.
 */
export function calmHeap(): void {
  setFlagsFromString('--heap-growing-percent=200');
  const looking = setInterval(() => {
    if (youngBytes() < YOUNG_BYTES_ENOUGH) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    clearInterval(looking);
  }, LOOK_MS);
  looking.unref();
}

function youngBytes(): number {
  return (
    getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
      ?.physical_space_size ?? 0
  );
}

/**
 * For work that nobody waits for in milliseconds: to one and a half times as much. A month of the pilot keeps 40 MB
 * alive; by V8's own measure the heap grew to 120, and what it held outside with it.
 */
export function smallHeap(): void {
  setFlagsFromString('--heap-growing-percent=50');
}
