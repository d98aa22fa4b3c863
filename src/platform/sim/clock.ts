/**
 * Simulated time: stands still until `advance` moves it, then runs every timer that falls due, in order of
 * time and, at the same time, of setting. `jumpWall` changes what the wall clock says, as NTP or a flat
 * RTC battery would; the monotonic clock never notices.
 */
import type { Cancel, Clock, ClockQuality, Timers } from '../../base/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  /** None once cancelled: what it held is free at once, however late the timer was due. */
  callback: (() => void) | undefined;
}

export class SimClock implements Clock, Timers {
  #nowMs = 0;
  #wallOffsetMs: number;
  #quality: ClockQuality;
  #order = 0;
  readonly #heap: Timer[] = [];

  constructor(wallMs: number, quality: ClockQuality = 'ntp') {
    this.#wallOffsetMs = wallMs;
    this.#quality = quality;
  }

  wallMs(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  quality(): ClockQuality {
    return this.#quality;
  }

  jumpWall(wallMs: number, quality: ClockQuality): void {
    this.#wallOffsetMs = wallMs - this.#nowMs;
    this.#quality = quality;
  }

  after(delayMs: number, callback: () => void): Cancel {
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    const timer: Timer = { dueMs, order: this.#order++, callback };
    this.#push(timer);
    return () => {
      timer.callback = undefined;
    };
  }

  every(periodMs: number, callback: () => void): Cancel {
    let cancel: Cancel;
    const again = (): void => {
      cancel = this.after(periodMs, again);
      callback();
    };
    cancel = this.after(periodMs, again);
    return () => cancel();
  }

  soon(callback: () => void): Cancel {
    return this.after(0, callback);
  }

  /** Moment of the next timer on the monotonic clock, or undefined where none is set. */
  nextDueMs(): number | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.dueMs;
  }

  /** Moves time by `durationMs`, running what falls due. Promises settle between timers. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await settle();
    for (;;) {
      const dueMs = this.nextDueMs();
      if (dueMs === undefined || dueMs > endMs) break;
      const timer = this.#pop();
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.callback?.();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #dropCancelled(): void {
    while (this.#heap[0] !== undefined && this.#heap[0].callback === undefined) this.#pop();
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent] as Timer)) break;
      heap[at] = heap[parent] as Timer;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): Timer {
    const heap = this.#heap;
    const top = heap[0] as Timer;
    const last = heap.pop() as Timer;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Timer)) child += 1;
      if (!isBefore(heap[child] as Timer, last)) break;
      heap[at] = heap[child] as Timer;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** Lets promise chains of a few steps run to their end before time moves on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 16; i++) await Promise.resolve();
}
