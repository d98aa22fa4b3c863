/** The collector of V8: how far the old heap may grow beyond what lives in it before V8 looks through all of it again. */
import { setFlagsFromString } from 'node:v8';

/**
 * For what runs for months: to three times as much. By V8's own measure a hub
 * of 12 MB did that five times a second in a burst, each with a pause of 3 to 7 ms: every hundredth acknowledgement waited
 * for one. It costs some 10 MB after a burst and nothing on an idle hub (Node 20, x64).
 */
export function calmHeap(): void {
  setFlagsFromString('--heap-growing-percent=200');
}

/**
 * For work that nobody waits for in milliseconds: to one and a half times as much. A month of the pilot keeps 40 MB
 * alive; by V8's own measure the heap grew to 120, and what it held outside with it.
 */
export function smallHeap(): void {
  setFlagsFromString('--heap-growing-percent=50');
}
