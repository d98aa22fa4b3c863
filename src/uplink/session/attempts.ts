/**
 * When the uplink may try: only while a way leads upstream, and after a failure not before a pause that grows. A way that
 * appears ends the pause: what failed on another link says nothing about this one. An alarm that is born in a long pause
 * shortens it: it would be late by hours for what failed before.
 */
import { Backoff } from '../../base/backoff.ts';
import type { Cancel, Clock, Timers } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { WayUpstream } from '../ports.ts';

export interface Pauses {
  readonly pauseMsMin: number;
  readonly pauseMsMax: number;
  /** From the failure to an attempt for what is urgent and was born since; absent: it waits like everything. */
  readonly pauseMsUrgent?: number;
}

export interface AttemptsOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Timers;
  readonly random: Random;
  /** Undefined: always there, and nothing to be proven. */
  readonly way?: WayUpstream | undefined;
  /** Of link and power as they are now: where an attempt is dear, a failed one is followed by a longer pause. */
  readonly pauses: () => Pauses;
  /** The pause is over. */
  readonly onAgain: () => void;
  /** No way is left, or the way is another: a session over the old one is dead. */
  readonly onWayLost: () => void;
}

export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #backoff: Backoff;
  #cancelPause: Cancel = () => undefined;
  /** Of the pause that is on. */
  #pause: { readonly sinceMs: number; readonly untilMs: number } | undefined;

  constructor(options: AttemptsOptions) {
    this.#options = options;
    const { pauseMsMin, pauseMsMax } = options.pauses();
    this.#backoff = new Backoff(pauseMsMin, pauseMsMax, options.random);
    options.way?.onChange((change) => {
      this.#backoff.reset();
      options.onWayLost();
      if (change === 'gone') return;
      this.#cancelPause();
      this.#again();
    });
  }

  get isWayThere(): boolean {
    return this.#options.way?.isThere ?? true;
  }

  /** Whether the link of this moment is believed in. */
  get isWayProven(): boolean {
    return this.#options.way?.isUp ?? true;
  }

  /** The regional node has answered; true where that is enough to believe in the link. */
  answered(): boolean {
    this.#options.way?.answered();
    return this.isWayProven;
  }

  failed(): void {
    this.#options.way?.failed();
  }

  /** A session is over; `longer`: it came to nothing. */
  ended(pause: 'none' | 'fresh' | 'longer'): void {
    if (pause !== 'longer') this.#backoff.reset();
    if (pause === 'none') return;
    const { pauseMsMin, pauseMsMax } = this.#options.pauses();
    this.#backoff.adapt(pauseMsMin, pauseMsMax);
    const nowMs = this.#options.clock.monotonicMs();
    this.#waitUntil(nowMs + this.#backoff.nextMs(), nowMs);
  }

  /** An alarm or a command has come. */
  urgent(): void {
    const { pauseMsUrgent } = this.#options.pauses();
    if (this.#pause === undefined || pauseMsUrgent === undefined) return;
    const { sinceMs, untilMs } = this.#pause;
    const soonerMs = Math.max(this.#options.clock.monotonicMs(), sinceMs + pauseMsUrgent);
    if (soonerMs >= untilMs) return;
    this.#cancelPause();
    this.#waitUntil(soonerMs, sinceMs);
  }

  #waitUntil(untilMs: number, sinceMs: number): void {
    this.#pause = { sinceMs, untilMs };
    const delayMs = untilMs - this.#options.clock.monotonicMs();
    this.#cancelPause = this.#options.timers.after(delayMs, () => this.#again());
  }

  #again(): void {
    this.#pause = undefined;
    this.#options.onAgain();
  }

  stop(): void {
    this.#cancelPause();
  }
}
