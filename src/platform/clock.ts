/** The machine's clock and timers; the simulated twin is sim/clock.ts. */
import {
  type Cancel,
  type Clock,
  type ClockQuality,
  qualityBy,
  type Timers,
} from '../base/clock.ts';

export class MachineClock implements Clock {
  wallMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  quality(): ClockQuality {
    return qualityBy(this.wallMs());
  }
}

/** What is chained to it runs at the end of the turn; `queueMicrotask` takes a microsecond longer for its bookkeeping. */
const SETTLED = Promise.resolve();

/**
 * The same clock, read once for all that happens without a pause: hundreds of messages out of one socket share a
 * moment. Not for measuring how long something takes.
 */
export class MomentClock implements Clock {
  readonly #clock: Clock;
  #moment: {
    readonly wallMs: number;
    readonly monotonicMs: number;
    readonly quality: ClockQuality;
  };
  #isOver = true;
  readonly #end = (): void => {
    this.#isOver = true;
  };

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#moment = { wallMs: 0, monotonicMs: 0, quality: 'unknown' };
  }

  wallMs(): number {
    return this.#now().wallMs;
  }

  monotonicMs(): number {
    return this.#now().monotonicMs;
  }

  quality(): ClockQuality {
    return this.#now().quality;
  }

  #now(): {
    readonly wallMs: number;
    readonly monotonicMs: number;
    readonly quality: ClockQuality;
  } {
    if (this.#isOver) {
      this.#isOver = false;
      const clock = this.#clock;
      this.#moment = {
        wallMs: clock.wallMs(),
        monotonicMs: clock.monotonicMs(),
        quality: clock.quality(),
      };
      void SETTLED.then(this.#end);
    }
    return this.#moment;
  }
}

/** `setTimeout` runs what lies further ahead than this (25 days) at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export const machineTimers: Timers = {
  after: (delayMs, callback) => waitFor(delayMs, callback),
  every: (periodMs, callback) => cancelOf(setInterval(callback, periodMs), clearInterval),
  soon: (callback) => cancelOf(setImmediate(callback), clearImmediate),
};

/**
 * Never early: `setTimeout` cuts fractions off, and counts from the moment at which the event loop last
 * looked at its clock, which a busy turn leaves behind. What is missing is waited for again.
 */
function waitFor(delayMs: number, callback: () => void): Cancel {
  const dueMs = performance.now() + delayMs;
  let cancel: Cancel;
  function wait(leftMs: number): void {
    const stepMs = Math.min(Math.ceil(leftMs), DELAY_MS_MAX);
    cancel = cancelOf(setTimeout(step, stepMs), clearTimeout);
  }
  function step(): void {
    if (dueMs > momentOfTurn()) wait(dueMs - performance.now());
    else callback();
  }
  wait(delayMs);
  return () => cancel();
}

let turnMs: number | undefined;

/**
 * All timers of a turn are judged by one moment. Each by its own, a later one could be found due a microsecond after an earlier
 * one was sent to wait again.
 */
function momentOfTurn(): number {
  if (turnMs === undefined) {
    turnMs = performance.now();
    setImmediate(() => (turnMs = undefined));
  }
  return turnMs;
}

function cancelOf<T>(handle: T, clear: (handle: T) => void): Cancel {
  return () => {
    clear(handle);
  };
}

/**
 * A clock and timers that run `speed` times faster from `startMs` on: the demo's solar day. Only what
 * thinks in hours uses it (power, uplink); sockets and files stay on the machine's own time.
 */
export function fastTime(speed: number, startMs: number): { clock: Clock; timers: Timers } {
  const bootMs = performance.now();
  const elapsedMs = (): number => (performance.now() - bootMs) * speed;
  return {
    clock: {
      wallMs: () => startMs + elapsedMs(),
      monotonicMs: elapsedMs,
      quality: () => 'ntp',
    },
    timers: {
      after: (delayMs, callback) => machineTimers.after(delayMs / speed, callback),
      every: (periodMs, callback) => machineTimers.every(Math.max(1, periodMs / speed), callback),
      soon: (callback) => machineTimers.soon(callback),
    },
  };
}
