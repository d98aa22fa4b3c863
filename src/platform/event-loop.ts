/** How long the event loop keeps others waiting, as Node measures it: a timer each millisecond, and how late it comes. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LoopDelays {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

const RESOLUTION_MS = 1;

/** Begins to measure; the function ends it and says the delays. */
export function watchEventLoop(): () => LoopDelays {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const ms = (nanoseconds: number): number => nanoseconds / 1e6;
  return () => {
    histogram.disable();
    return {
      p50Ms: ms(histogram.percentile(50)),
      p99Ms: ms(histogram.percentile(99)),
      p999Ms: ms(histogram.percentile(99.9)),
      maxMs: ms(histogram.max),
    };
  };
}
