/**
 * How far each lane is known: lane → highest seq up to which there is no gap. Pure functions over plain
 * maps; a lane that is absent stands at 0.
 */
import type { Lane } from './origin.ts';

export type VersionVector = ReadonlyMap<Lane, number>;

/** No lane leaps further at once: a number made up must not take all others from it. */
export const SEQ_LEAP_MAX = 2 ** 32;

export function seqIn(vector: VersionVector, lane: Lane): number {
  return vector.get(lane) ?? 0;
}

/** The least vector that is at or beyond both. */
export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  const joined = new Map(a);
  for (const [lane, seq] of b) joined.set(lane, Math.max(seq, seqIn(a, lane)));
  return joined;
}

/** True where `a` is at or beyond `b` in every lane. */
export function covers(a: VersionVector, b: VersionVector): boolean {
  for (const [lane, seq] of b) if (seqIn(a, lane) < seq) return false;
  return true;
}
