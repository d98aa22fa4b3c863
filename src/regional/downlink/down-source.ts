/** What the way down asks of the storage of a site; a storage that has it not sends nothing down. */
import type { SealedBatch } from '../../batch/seal-batch.ts';
import type { OpClass } from '../../model/class.ts';
import type { StampedOp } from '../../model/op.ts';
import type { Origin } from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { DownOps, DownQuery } from './down-index.ts';

/** A batch of ops that the region itself has made. */
export interface AuthoredBatch {
  readonly region: Origin;
  readonly publicKey: Uint8Array;
  readonly sealed: SealedBatch;
  readonly entries: readonly StampedOp[];
}

export interface DownSource {
  /** How many ops wait for a hub. */
  waiting(query: DownQuery): Promise<number>;
  /** The next ops for a hub, of one class, each lane in its order; undefined where nothing waits. */
  next(query: DownQuery): Promise<DownOps | undefined>;
  /** How far every lane of the site is known without a gap. */
  vector(): Promise<VersionVector>;
  /** How often the region had to begin a new origin at this site, because a hub knew more of its ops than itself. */
  incarnation(): Promise<number>;
  beginIncarnation(number: number): Promise<void>;
  /** Keeps and folds a batch of the region's own; all of it is there when this resolves, or nothing. */
  author(batch: AuthoredBatch): Promise<void>;
}

/** Something that the region has to say. */
export interface RegionWrite {
  readonly class: OpClass;
  readonly key: string;
  readonly kind: StampedOp['op']['kind'];
  readonly body: Uint8Array;
  readonly authority: number;
}
