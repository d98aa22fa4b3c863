/** The timers of a session by what they wait for: one of each kind at a time. */
import type { Cancel } from '../../base/clock.ts';

export class Waits {
  readonly #cancels = new Map<'reply' | 'linger' | 'gather', Cancel>();

  /** Begins to wait anew, or no more. */
  set(kind: 'reply' | 'linger' | 'gather', timer: Cancel | undefined): void {
    this.#cancels.get(kind)?.();
    if (timer === undefined) this.#cancels.delete(kind);
    else this.#cancels.set(kind, timer);
  }

  stop(): void {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }
}
