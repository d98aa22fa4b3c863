/** Who wants to hear of something. One that throws is told of it in a turn of its own: not the others, and not the work that told it. */
import type { Cancel, Timers } from '../../base/clock.ts';

export class Listeners<T> {
  readonly #timers: Pick<Timers, 'soon'>;
  readonly #listeners = new Set<{ readonly call: (value: T) => void }>();

  constructor(timers: Pick<Timers, 'soon'>) {
    this.#timers = timers;
  }

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  add(call: (value: T) => void): Cancel {
    const listener = { call };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(value: T): void {
    for (const { call } of this.#listeners) calling(this.#timers, () => call(value));
  }

  clear(): void {
    this.#listeners.clear();
  }
}

/** Calls what is not ours; what it throws goes to whoever listens for what nobody has caught. */
export function calling(timers: Pick<Timers, 'soon'>, call: () => void): void {
  try {
    call();
  } catch (error) {
    timers.soon(() => {
      throw error;
    });
  }
}
