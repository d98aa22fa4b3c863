/**
 * A state that was taken over from another hub counts as held from here on: lanes go on behind what is in it, and what was
 * missing here and is in it is missing no more. The entry that says so comes behind the state's items in the journal.
 */
import { CLASSES } from '../../model/class.ts';
import { encodeHeldEntry, gapsOf, type Held, lastOf } from '../../model/held.ts';
import { type Lane, laneOf, type Origin } from '../../model/origin.ts';
import { seqIn } from '../../model/version-vector.ts';
import type { Lsn } from '../journal-port.ts';
import type { HoleBook } from './hole-book.ts';

/** The part of the door that it changes. */
interface HoldingDoor {
  readonly hub: Origin;
  readonly vector: Map<Lane, number>;
  readonly ownSeqs: number[];
  readonly holes: HoleBook;
  readonly lanesMax: number;
  readonly nowMs: number;
  append(entry: Uint8Array): Lsn;
}

/** Undefined where it names more lanes than a hub keeps track of; throws `HubError` where the journal does not take it. */
export function takeHeld(held: Held, door: HoldingDoor): Lsn | undefined {
  const { hub, vector, ownSeqs, holes } = door;
  const fresh = held.lanes.filter(({ lane }) => !vector.has(lane));
  if (vector.size + fresh.length > door.lanesMax) return undefined;
  const lsn = door.append(encodeHeldEntry(held));
  const ownClassByLane = new Map(CLASSES.map((opClass) => [laneOf(hub, opClass), opClass]));
  for (const each of held.lanes) {
    const ownClass = ownClassByLane.get(each.lane);
    const known = ownClass === undefined ? seqIn(vector, each.lane) : (ownSeqs[ownClass] ?? 0);
    holes.hold(each);
    for (const { from, to } of gapsOf(each)) {
      holes.tell(each.lane, Math.max(from, known + 1), to, door.nowMs);
    }
    const last = Math.max(known, lastOf(each));
    if (ownClass === undefined) vector.set(each.lane, last);
    else ownSeqs[ownClass] = last;
  }
  return lsn;
}
