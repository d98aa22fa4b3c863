/**
 * Up to where the stamps of this hub and of each other one were found equal, since the start: only what came later is
 * compared when they meet again. What changes here afterwards is compared once more.
 */
import type { OpStamp } from '../../merge/op-stamps.ts';
import { type Lane, laneOf, type Origin } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';

/** Hubs that are remembered; others are compared with from the beginning. */
const HUBS_MAX = 64;
const NOTHING: VersionVector = new Map();

export class LevelBook {
  readonly #byHub = new Map<Origin, Map<Lane, number>>();

  of(hub: Origin): VersionVector {
    return this.#byHub.get(hub) ?? NOTHING;
  }

  note(hub: Origin, equal: VersionVector): void {
    if (this.#byHub.size >= HUBS_MAX) this.#byHub.clear();
    this.#byHub.set(hub, new Map(equal));
  }

  /** These were taken over here, and others have yet to hear of them. */
  changed(stamps: readonly OpStamp[]): void {
    for (const { op } of stamps) {
      const lane = laneOf(op.origin, op.class);
      for (const equal of this.#byHub.values()) {
        if (seqIn(equal, lane) >= op.seq) equal.set(lane, op.seq - 1);
      }
    }
  }
}
