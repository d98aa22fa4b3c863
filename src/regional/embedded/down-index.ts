/**
 * Which ops of a site flow down to which hub: orders and records that somebody accepted and this hub does not have, found
 * in the batches that the archive keeps. What stands where is learned from the manifests when somebody first asks;
 * after that a batch is opened only where a hub needs something of it.
 */
import { addTo } from '../../base/groups.ts';
import { headOf } from '../../batch/open-batch.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import { DOWN_CLASSES } from '../../batch/wire/down-messages.ts';
import { DOWN_SEAL_LIMITS } from '../../batch/limits.ts';
import type { LaneRange } from '../../batch/ranges.ts';
import type { OpClass } from '../../model/class.ts';
import type { StampedOp } from '../../model/op.ts';
import { type Lane, laneOf } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import type { DownOps, DownQuery } from '../downlink/down-source.ts';
import type { Archive, ArchivedBatch } from './archive.ts';

/** Opens a batch of the archive. */
export type Reopen = (batch: ArchivedBatch) => Promise<readonly StampedOp[]>;

export class DownIndex {
  readonly #archive: Archive;
  readonly #ranges = new Map<BatchId, readonly LaneRange[]>();

  constructor(archive: Archive) {
    this.#archive = archive;
  }

  /** How many ops wait for the hub. */
  count(query: DownQuery): number {
    const reach = this.#reach(query);
    let count = 0;
    for (const [lane, to] of reach) count += to - seqIn(query.vector, lane);
    return count;
  }

  /** The next ones, of the highest class of which any wait; undefined where none does. */
  async next(query: DownQuery, reopen: Reopen): Promise<DownOps | undefined> {
    const reach = this.#reach(query);
    for (const opClass of DOWN_CLASSES.filter((it) => query.classes.includes(it))) {
      const ops = await this.#opsOf(opClass, query.vector, reach, reopen);
      if (ops.length > 0) return { class: opClass, ops };
    }
    return undefined;
  }

  /** As many as go down at once. What a lane lacks may lie in batches in any order: so they are gone through until nothing moves. */
  async #opsOf(
    opClass: OpClass,
    vector: VersionVector,
    reach: ReadonlyMap<Lane, number>,
    reopen: Reopen,
  ): Promise<StampedOp[]> {
    const { opsMax, opBytesMax } = DOWN_SEAL_LIMITS;
    const have = new Map(vector);
    const ops: StampedOp[] = [];
    let bytes = 0;
    for (let before = -1; before < ops.length;) {
      before = ops.length;
      for (const batch of this.#batchesWith(opClass, have, reach)) {
        for (const stamped of await reopen(batch)) {
          const lane = laneOf(stamped.op.origin, stamped.op.class);
          if (stamped.op.seq !== seqIn(have, lane) + 1 || !reach.has(lane)) continue;
          if (ops.length > 0 && bytes + stamped.bytes.length > opBytesMax) break;
          ops.push({ ...stamped, bytes: stamped.bytes.slice() });
          bytes += stamped.bytes.length;
          have.set(lane, stamped.op.seq);
          if (ops.length >= opsMax) return ops;
        }
        if (bytes > opBytesMax / 2) return ops;
      }
    }
    return ops;
  }

  /** Batches of the class that continue a lane where the hub stands. */
  #batchesWith(
    opClass: OpClass,
    have: VersionVector,
    reach: ReadonlyMap<Lane, number>,
  ): ArchivedBatch[] {
    return this.#batches().filter((batch) => {
      if (batch.class !== opClass) return false;
      return this.#rangesOf(batch).some(({ origin, class: it, from, to }) => {
        const lane = laneOf(origin, it);
        const known = seqIn(have, lane);
        return reach.has(lane) && from <= known + 1 && to > known;
      });
    });
  }

  /** How far each lane that lacks something at the hub can be told without a gap. */
  #reach({ hub, vector, classes }: DownQuery): Map<Lane, number> {
    const rangesByLane = new Map<Lane, LaneRange[]>();
    for (const batch of this.#batches()) {
      if (batch.hub === hub || !classes.includes(batch.class)) continue;
      for (const range of this.#rangesOf(batch)) {
        const lane = laneOf(range.origin, range.class);
        if (range.origin === hub || range.to <= seqIn(vector, lane)) continue;
        addTo(rangesByLane, lane, range);
      }
    }
    const reach = new Map<Lane, number>();
    for (const [lane, ranges] of rangesByLane) {
      let to = seqIn(vector, lane);
      for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
        if (range.from <= to + 1) to = Math.max(to, range.to);
      }
      if (to > seqIn(vector, lane)) reach.set(lane, to);
    }
    return reach;
  }

  #batches(): ArchivedBatch[] {
    const batches = this.#archive.list().filter(({ class: it }) => DOWN_CLASSES.includes(it));
    const kept = new Set(batches.map(({ id }) => id));
    for (const id of this.#ranges.keys()) if (!kept.has(id)) this.#ranges.delete(id);
    return batches;
  }

  #rangesOf({ id }: ArchivedBatch): readonly LaneRange[] {
    const known = this.#ranges.get(id);
    if (known !== undefined) return known;
    // The batch was verified when it came; of a file that is damaged since, nothing goes down.
    const head = this.#archive.head(id);
    const ranges = (head && headOf(head))?.ranges ?? [];
    this.#ranges.set(id, ranges);
    return ranges;
  }
}
