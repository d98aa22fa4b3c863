/** What the way down asks of the storage of a site. */
import type { SealedBatch } from '../../batch/seal-batch.ts';
import type { OpClass } from '../../model/class.ts';
import type { Hlc } from '../../model/hlc.ts';
import type { StampedOp } from '../../model/op.ts';
import type { Origin } from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { ReceiverBook } from './receivers.ts';

/** Ops of one class for a hub, each lane in its order. */
export interface DownOps {
  readonly class: OpClass;
  readonly ops: readonly StampedOp[];
}

export interface DownQuery {
  readonly hub: Origin;
  /** What the hub has. */
  readonly vector: VersionVector;
  /** Classes that it takes. */
  readonly classes: readonly OpClass[];
}

/** A batch of ops that the region itself has made. */
export interface AuthoredBatch {
  readonly region: Origin;
  readonly publicKey: Uint8Array;
  readonly sealed: SealedBatch;
  readonly entries: readonly StampedOp[];
}

/** Where the region's next op of a class stands. */
export interface AuthorPlace {
  readonly origin: Origin;
  readonly seq: number;
  /** Of the region's newest op at the site, whoever of the region made it; undefined where that is not known. */
  readonly newest: Hlc | undefined;
}

/** How the region's next op comes to be. */
export interface Authoring {
  readonly class: OpClass;
  readonly originOf: (incarnation: number) => Origin;
  readonly make: (place: AuthorPlace) => Promise<AuthoredBatch>;
}

export interface DownSource {
  /** How many ops wait for a hub; never more than `next` would give in the end. */
  waiting(query: DownQuery): Promise<number>;
  /** The next ops for a hub, of one class, each lane in its order; undefined where nothing waits. */
  next(query: DownQuery): Promise<DownOps | undefined>;
  /** How far the lanes of an origin are known without a gap. */
  known(origin: Origin): Promise<VersionVector>;
  /** How often the region had to begin a new origin at this site, because a hub knew more of its ops than itself. */
  incarnation(): Promise<number>;
  /** Never goes back. */
  beginIncarnation(number: number): Promise<void>;
  /**
   * Gives the next number, and keeps and folds what is made of it; one at a time, whichever worker asks. All of it is there
   * when this resolves, or nothing.
   */
  author(authoring: Authoring): Promise<void>;
  /** Where each hub stands. */
  readonly receivers: ReceiverBook;
}

/** Something that the region has to say. */
export interface RegionWrite {
  readonly class: OpClass;
  readonly key: string;
  readonly kind: StampedOp['op']['kind'];
  readonly body: Uint8Array;
  readonly authority: number;
}
