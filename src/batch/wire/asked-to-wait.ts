/** The region's word that it takes nothing from a hub for a while (BATCH.md §6), as fields of a greeting or a `have`. */
import { CLASSES, isOpClass, type OpClass } from '../../model/class.ts';
import type { CborMap, CborValue } from '../../codec/value.ts';

export interface AskedToWait {
  readonly seconds: number;
  /** For people. */
  readonly why: string;
  /** Classes that are taken nonetheless. */
  readonly takes?: readonly OpClass[];
}

const WHY_CHARS_MAX = 200;

function isClass(value: CborValue): value is OpClass {
  return typeof value === 'number' && isOpClass(value);
}

export function waitFields(wait: AskedToWait | undefined): Record<string, CborValue> {
  if (wait === undefined) return {};
  const takes = wait.takes === undefined ? {} : { 'wait-takes': [...wait.takes] };
  return { 'wait-s': wait.seconds, why: wait.why, ...takes };
}

/** Nothing where it is not said; undefined where it is malformed. */
export function readWait(map: CborMap): { readonly wait?: AskedToWait } | undefined {
  const seconds = map.get('wait-s');
  if (seconds === undefined) return {};
  const why = map.get('why');
  const isCount = typeof seconds === 'number' && Number.isInteger(seconds) && seconds >= 0;
  if (!isCount || typeof why !== 'string') return undefined;
  const wait = { seconds, why: why.slice(0, WHY_CHARS_MAX) };
  const takes = map.get('wait-takes');
  if (takes === undefined) return { wait };
  if (!Array.isArray(takes) || takes.length > CLASSES.length) return undefined;
  // A class of a later version is none that we would send.
  return { wait: { ...wait, takes: (takes as readonly CborValue[]).filter(isClass) } };
}
