/**
 * Own ops that some hub has for good and the state shows, kept a while longer: a hub that lacks them, because the one
 * that had them is lost or out of reach, gets them from their maker (sync/PROTOCOL.md §2). Of each lane the newest stay,
 * within limits; a hub that lacks more gets what is left, and is told up to where another hub had everything.
 */
import type { Op } from '../../model/op.ts';
import { type Lane, laneOf } from '../../model/origin.ts';

export interface SpareOp {
  readonly op: Op;
  readonly bytes: Uint8Array;
}

interface SpareLane {
  /** In the order of their seqs. */
  ops: SpareOp[];
  bytes: number;
}

export const SPARE_OPS_MAX = 1_000;
/** Of a lane, as the number is. */
export const SPARE_BYTES_MAX = 256 * 1024;

export class SpareOps {
  readonly #lanes = new Map<Lane, SpareLane>();

  /** Keeps the op; how many older ones went for it. */
  add(spare: SpareOp): number {
    const { op, bytes } = spare;
    const lane = this.#lane(laneOf(op.origin, op.class));
    const at = lane.ops.findLastIndex(({ op: other }) => other.seq <= op.seq) + 1;
    if (lane.ops[at - 1]?.op.seq === op.seq) return 1;
    lane.ops.splice(at, 0, spare);
    lane.bytes += bytes.length;
    let gone = 0;
    while (lane.ops.length - gone > SPARE_OPS_MAX || lane.bytes > SPARE_BYTES_MAX) {
      lane.bytes -= (lane.ops[gone] as SpareOp).bytes.length;
      gone += 1;
    }
    if (gone > 0) lane.ops.splice(0, gone);
    return gone;
  }

  /** Of a lane, those behind `seq`. */
  after(lane: Lane, seq: number): readonly SpareOp[] {
    return this.#lanes.get(lane)?.ops.filter(({ op }) => op.seq > seq) ?? [];
  }

  *all(): Generator<SpareOp> {
    for (const { ops } of this.#lanes.values()) yield* ops;
  }

  #lane(name: Lane): SpareLane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { ops: [], bytes: 0 };
      this.#lanes.set(name, lane);
    }
    return lane;
  }
}
