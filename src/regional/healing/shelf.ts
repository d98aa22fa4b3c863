/** What healing asks of the storage of a site: the batches that it keeps as they came. */
import type { BatchId } from '../../batch/batch-id.ts';
import type { OpClass } from '../../model/class.ts';
import type { StampedOp } from '../../model/op.ts';
import type { Origin } from '../../model/origin.ts';

export interface ShelvedBatch {
  readonly id: BatchId;
  readonly hub: Origin;
  readonly class: OpClass;
}

export interface Shelf {
  /** Every batch of the classes that is kept, in the order of arrival. */
  list(classes: readonly OpClass[]): Promise<readonly ShelvedBatch[]>;
  /** The first bytes of a batch, at least its manifest; undefined where it is gone meanwhile. */
  head(batch: ShelvedBatch): Promise<Uint8Array | undefined>;
  /** Verified and opened; nothing where it cannot be any more. */
  open(batch: ShelvedBatch): Promise<readonly StampedOp[]>;
}
