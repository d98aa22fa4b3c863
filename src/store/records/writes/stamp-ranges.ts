/**
 * The stamps of the ops on records, lane by lane: what two hubs compare to find the ops that they have under different
 * ones (sync/peers/PEERS.md §3).
 */
import { concatBytes, EMPTY_BYTES } from '../../../base/bytes.ts';
import type { OpStamp } from '../../../merge/op-stamps.ts';
import { encodeStampMark } from '../../../model/op.ts';
import { type Lane, splitLane } from '../../../model/origin.ts';
import { sha256Hasher } from '../../sha256-hasher.ts';
import type { OpPlaces, Place } from './op-places.ts';
import { nameOfOp } from './packed-write.ts';

const DIGEST_BYTES = 8;

export class StampRanges {
  readonly #places: OpPlaces;

  constructor(places: OpPlaces) {
    this.#places = places;
  }

  /** Eight bytes over the stamps of the lane's ops from `from` to `to`: equal where all of them are. */
  digest(lane: Lane, from: number, to: number): Uint8Array {
    const hasher = sha256Hasher();
    const marks = [...this.#inLane(lane, from, to)].flatMap(({ order, stamp }) => [
      Uint8Array.of(order.authority),
      nameOfOp(order),
      stamp === undefined ? EMPTY_BYTES : encodeStampMark(stamp),
    ]);
    hasher.update(concatBytes(marks));
    return hasher.finish().subarray(0, DIGEST_BYTES);
  }

  /** The stamps of these ops, as far as they are kept. */
  list(lane: Lane, from: number, to: number): OpStamp[] {
    return [...this.#inLane(lane, from, to)].flatMap(({ order, stamp }) => {
      if (stamp === undefined) return [];
      const { origin, class: opClass, seq, authority } = order;
      return [{ op: { origin, class: opClass, seq }, authority, ...stamp }];
    });
  }

  #inLane(lane: Lane, from: number, to: number): Iterable<Place> {
    const { origin, class: opClass } = splitLane(lane);
    return this.#places.inLane(origin, opClass, from, to);
  }
}
