/** Work that is cut into steps, so that whoever does it can let others have their turns between two of them. */
import { type Clock, type Timers, turn } from './clock.ts';

export type Steps<T> = Generator<void, T>;

/** Gives other work its turn, where it is time for that. */
export type Pause = () => Promise<void> | undefined;

/** Does all of it at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Does it step by step, with a pause behind each. */
export async function inSlices<T>(steps: Steps<T>, pause: Pause): Promise<T> {
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    const rest = pause();
    if (rest !== undefined) await rest;
  }
}

/** The same steps, each of them done within `guard`. */
export function* guarded<T>(steps: Steps<T>, guard: <R>(step: () => R) => R): Steps<T> {
  for (;;) {
    const step = guard(() => steps.next());
    if (step.done === true) return step.value;
    yield;
  }
}

/** A pause that comes when work has gone on for so long since the last one. */
export function pauseEvery(
  sliceMs: number,
  { clock, timers }: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly timers: Timers },
): Pause {
  let endMs = clock.monotonicMs() + sliceMs;
  const rest = async (): Promise<void> => {
    await turn(timers);
    endMs = clock.monotonicMs() + sliceMs;
  };
  return () => (clock.monotonicMs() < endMs ? undefined : rest());
}
