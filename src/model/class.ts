/** Classes of ops: their priority on the way upstream, 0 first. */

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
/** 0 alarm … 6 log: the number that travels. */
export type OpClass = 0 | 1 | 2 | 3 | 4 | 5 | 6;

export const ALARM = 0;
export const COMMAND = 1;
export const RECORD = 2;
export const TELEMETRY = 3;
export const PREVIEW = 4;
export const BULK = 5;
/** The power-aware log itself: outside the digest, and never a reason to open or prolong a session. */
export const LOG = 6;

export const CLASSES: readonly OpClass[] = [0, 1, 2, 3, 4, 5, 6];

export function isOpClass(value: number): value is OpClass {
  return Number.isInteger(value) && value >= 0 && value < CLASS_NAMES.length;
}

export function classNamed(name: string): OpClass | undefined {
  const index = (CLASS_NAMES as readonly string[]).indexOf(name);
  return index < 0 ? undefined : (index as OpClass);
}

/** A value for each class, in the order of CLASSES. */
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
