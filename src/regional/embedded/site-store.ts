/**
 * What embedded storage (embedded-storage.ts) asks of the folded state of a site. SQLite (store/store.ts, with
 * durability `each-commit`) satisfies it, and so must pass test/contract/site-store.test.ts.
 */
import type { Steps } from '../../base/steps.ts';
import type { StampedOp } from '../../model/op.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { ReadingsPage, ReadingsQuery } from '../../store/readings/readings.ts';

export interface SiteEntry {
  /** Number of the batch it came with. */
  readonly lsn: number;
  readonly stamped: StampedOp;
}

export interface SiteDigest {
  /** 64 hex digits; equal exactly where the living state is equal. */
  readonly digest: string;
  readonly ops: number;
  readonly records: number;
}

export interface SiteStore {
  /** Number of the last batch that is folded in; 0 for an empty store. */
  readonly checkpointLsn: number;
  /**
   * Folds the ops of a batch, each op once however often it comes, and moves the checkpoint; durable when it
   * returns. Throws `HubError` where it cannot.
   */
  apply(entries: readonly SiteEntry[], checkpointLsn: number): void;
  /**
   * Removes at most `chunksMax` chunks of readings beyond their limits, which is kept with the next `apply`. `nowMs` comes
   * from a clock that can be trusted.
   */
  prune(nowMs: number, chunksMax: number): void;
  vector(): VersionVector;
  /** In small steps; nothing may be folded before the last of them. */
  digestInSteps(): Steps<SiteDigest>;
  readings(query: ReadingsQuery): ReadingsPage;
  close(): void;
}
