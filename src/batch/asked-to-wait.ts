/** The region's word that it takes nothing from a hub for a while (BATCH.md §6), as fields of a greeting or a `have`. */
import type { CborMap, CborValue } from '../codec/value.ts';

export interface AskedToWait {
  readonly seconds: number;
  /** For people. */
  readonly why: string;
}

const WHY_CHARS_MAX = 200;

export function waitFields(wait: AskedToWait | undefined): Record<string, CborValue> {
  return wait === undefined ? {} : { 'wait-s': wait.seconds, why: wait.why };
}

/** Nothing where it is not said; undefined where it is malformed. */
export function readWait(map: CborMap): { readonly wait?: AskedToWait } | undefined {
  const seconds = map.get('wait-s');
  if (seconds === undefined) return {};
  const why = map.get('why');
  const isCount = typeof seconds === 'number' && Number.isInteger(seconds) && seconds >= 0;
  if (!isCount || typeof why !== 'string') return undefined;
  return { wait: { seconds, why: why.slice(0, WHY_CHARS_MAX) } };
}
