/** The digest of the folded state, in small steps: of a hundred thousand fields it takes a second of a small board. */
import { hexOf } from '../../base/bytes.ts';
import { guarded, type Steps } from '../../base/steps.ts';
import { digestInSteps } from '../../merge/state/digest.ts';
import type { FoldProgress } from '../folding/fold-progress.ts';
import { sha256Hasher } from '../sha256-hasher.ts';
import type { StateTables } from './state-tables.ts';

export interface StateDigest {
  /** 64 hex digits; equal exactly where the living state is equal. */
  readonly digest: string;
  /** Ops folded, class log left out. */
  readonly ops: number;
  /** Records with a living field. */
  readonly records: number;
}

/** Nothing may change before the last step; what has gathered is flushed before the first. */
export function* takeDigest(
  tables: StateTables,
  progress: FoldProgress,
  guard: <T>(step: () => T) => T,
): Steps<StateDigest> {
  const { digest } = yield* guarded(digestInSteps(tables, sha256Hasher()), guard);
  const records = guard(() => tables.recordCount());
  return { digest: hexOf(digest), ops: progress.seen.count(), records };
}
