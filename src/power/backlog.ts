/** What waits for the uplink, by class, and how long each class may wait. */
import { type OpClass, perClass } from '../model/class.ts';

/** `oldestMs` is the age of the oldest op, not a moment. */
export interface Waiting {
  readonly ops: number;
  readonly bytes: number;
  readonly oldestMs: number;
}
export type Backlog = Readonly<Record<OpClass, Waiting>>;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How old an op of each class may be when it reaches the region. The log has no deadline: it rides along. */
export const DEADLINES_MS: Readonly<Record<OpClass, number>> = {
  0: 15 * MINUTE_MS,
  1: 30 * MINUTE_MS,
  2: 6 * HOUR_MS,
  3: DAY_MS,
  4: DAY_MS,
  5: 7 * DAY_MS,
  6: Infinity,
};

export const EMPTY_BACKLOG: Backlog = perClass(() => ({ ops: 0, bytes: 0, oldestMs: 0 }));
