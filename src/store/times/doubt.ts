/** When the time that an op claims is not believed (merge/MERGE.md §11): the same for all stores. */
import { DRIFT_MS_MAX } from '../../model/hlc.ts';

/** So far before its stamp, the time of an op is in doubt; and a clock that is off by less is left alone. */
export const DOUBT_MS = 30 * 86_400_000;

/** A clock that is ahead of whoever took the op, or far behind: it may be wrong, or the op was long on its way. */
export function isInDoubt(ownMs: number, stampMs: number): boolean {
  return ownMs > stampMs + DRIFT_MS_MAX || ownMs < stampMs - DOUBT_MS;
}

/** Whether a clock that was in doubt turns out to have been about right: then its own time is better than ours. */
export function isAsGood(ownStartMs: number | null, startMs: number): boolean {
  return ownStartMs !== null && Math.abs(startMs - ownStartMs) < DOUBT_MS;
}
