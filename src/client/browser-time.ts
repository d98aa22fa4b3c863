/** Time, timers and randomness of a browser; all of it exists over plain HTTP. */
import type { Clock, Timers } from '../base/clock.ts';
import type { Random } from '../base/random.ts';

/** Before this moment (2026-01-01) a wall clock was certainly never set. */
const OLDEST_PLAUSIBLE_MS = 1_767_225_600_000;

export const browserClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  quality: () => (Date.now() < OLDEST_PLAUSIBLE_MS ? 'unknown' : 'rtc'),
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
