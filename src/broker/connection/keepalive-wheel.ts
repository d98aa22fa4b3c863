/**
 * Finds clients that have fallen silent: one timer for all, and a client that speaks pays one assignment.
 * A client lies in the slot of the second in which it could be overdue at the earliest; when that second comes,
 * it is looked at and moved on or reported. Being late by up to two seconds is fine [MQTT-3.1.2-24]; being early
 * never happens, not even after the event loop stood still.
 */
import type { Cancel, Timers } from '../../base/clock.ts';

export interface Watched {
  /** The wheel's `tick` when the client was last heard. */
  heardTick: number;
  /** Seconds of silence that are allowed. */
  silenceSMax: number;
  /** True while the silence is ours: it waits for acks, or we do not read from it. */
  readonly isExcused: boolean;
  /** Silent for too long; it is no longer watched. */
  onSilence(): void;
}

const TICK_MS = 1000;
const SLOTS = 128;

export class KeepaliveWheel {
  /** Seconds since the wheel was made, by its own timer. */
  tick = 0;
  readonly #slots: Set<Watched>[] = Array.from({ length: SLOTS }, () => new Set());
  readonly #slotByWatched = new Map<Watched, Set<Watched>>();
  readonly #cancel: Cancel;

  constructor(timers: Timers) {
    this.#cancel = timers.every(TICK_MS, () => this.#turn());
  }

  /** Watches from now on, also one whose allowance has changed. */
  watch(watched: Watched): void {
    this.forget(watched);
    watched.heardTick = this.tick;
    this.#place(watched);
  }

  forget(watched: Watched): void {
    this.#slotByWatched.get(watched)?.delete(watched);
    this.#slotByWatched.delete(watched);
  }

  close(): void {
    this.#cancel();
  }

  #place(watched: Watched): void {
    // One more than allowed: it may have been heard at the very end of its tick.
    const dueTick = watched.heardTick + watched.silenceSMax + 1;
    const slot = this.#slots[Math.min(dueTick, this.tick + SLOTS - 1) % SLOTS] as Set<Watched>;
    slot.add(watched);
    this.#slotByWatched.set(watched, slot);
  }

  #turn(): void {
    this.tick += 1;
    const slot = this.#slots[this.tick % SLOTS] as Set<Watched>;
    for (const watched of Array.from(slot)) {
      slot.delete(watched);
      if (watched.isExcused) watched.heardTick = this.tick;
      const overdue = this.tick > watched.heardTick + watched.silenceSMax;
      if (!overdue) {
        this.#place(watched);
        continue;
      }
      this.#slotByWatched.delete(watched);
      watched.onSilence();
    }
  }
}
