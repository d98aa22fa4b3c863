/** Time, timers and randomness of a browser; all of it exists over plain HTTP. */
import { type Clock, qualityBy, type Timers } from '../base/clock.ts';
import type { Random } from '../base/random.ts';

export const browserClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  quality: () => qualityBy(Date.now()),
};

export const browserTimers: Timers = {
  after: (delayMs, callback) => {
    const timer = window.setTimeout(callback, delayMs);
    return () => window.clearTimeout(timer);
  },
  every: (periodMs, callback) => {
    const timer = window.setInterval(callback, periodMs);
    return () => window.clearInterval(timer);
  },
  soon: (callback) => {
    const timer = window.setTimeout(callback, 0);
    return () => window.clearTimeout(timer);
  },
};

export const browserRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  fraction: () => Math.random(),
};
