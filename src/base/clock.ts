/**
 * Time comes in through this interface only. A hub may boot in 1970, so a wall time never travels
 * without its quality, and durations are measured on the monotonic clock.
 */

/** How far the wall clock can be trusted: never set, kept by a battery-backed clock, or set by a peer or by NTP. */
export type ClockQuality = 'unknown' | 'rtc' | 'peer' | 'ntp';

/** Before this moment (2026-01-01) a wall clock was certainly never set. */
const OLDEST_PLAUSIBLE_MS = 1_767_225_600_000;
/**
 * From this moment (2066-01-01) on, too: a clock whose battery is empty may show 2106, the end of what 32 bits count. By that, all
 * that the hub has would be old enough to go.
 */
const NEWEST_PLAUSIBLE_MS = 3_029_529_600_000;

/** How far a wall clock can be trusted of which nothing is known but what it says. */
export function qualityBy(wallMs: number): ClockQuality {
  return wallMs < OLDEST_PLAUSIBLE_MS || wallMs >= NEWEST_PLAUSIBLE_MS ? 'unknown' : 'rtc';
}

export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z, as far as this machine knows. */
  wallMs(): number;
  /** Milliseconds since some fixed moment of this boot; never goes back. */
  monotonicMs(): number;
  quality(): ClockQuality;
}

/** Ends a timer; calling it again, or after the timer has run, does nothing. */
export type Cancel = () => void;

export interface Timers {
  /** Calls back once after `delayMs`. */
  after(delayMs: number, callback: () => void): Cancel;
  /** Calls back every `periodMs`, the first time after one period. */
  every(periodMs: number, callback: () => void): Cancel;
  /** Calls back after the events that wait now: one turn of the event loop. */
  soon(callback: () => void): Cancel;
}

/** Resolves when the events that wait now have had their turn. */
export function turn(timers: Timers): Promise<void> {
  return new Promise((resolve) => {
    timers.soon(resolve);
  });
}

/** Resolves after `delayMs`, or at once when `signal` is aborted. */
export function pause(timers: Timers, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const finish = (): void => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = timers.after(delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
