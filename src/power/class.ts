/**
 * The classes of ops as the power brain sees them: the numbers and names of model/class.ts, which the
 * import table keeps out of reach (a test holds the two equal), and what each is worth: its deadline.
 */

export const CLASS_NAMES = [
  'alarm',
  'command',
  'record',
  'telemetry',
  'preview',
  'bulk',
  'log',
] as const;

export type ClassName = (typeof CLASS_NAMES)[number];
/** 0 alarm … 6 log, as in model/class.ts. */
export type OpClass = 0 | 1 | 2 | 3 | 4 | 5 | 6;

export const CLASSES: readonly OpClass[] = [0, 1, 2, 3, 4, 5, 6];

/** What waits for the uplink, by class; `oldestMs` is the age of the oldest op, not a moment. */
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

export function classNameOf(opClass: OpClass): ClassName {
  return CLASS_NAMES[opClass];
}

/** A value for each class. */
export function perClass<T>(make: (opClass: OpClass) => T): Record<OpClass, T> {
  return {
    0: make(0),
    1: make(1),
    2: make(2),
    3: make(3),
    4: make(4),
    5: make(5),
    6: make(6),
  };
}

export const EMPTY_BACKLOG: Backlog = perClass(() => ({ ops: 0, bytes: 0, oldestMs: 0 }));
