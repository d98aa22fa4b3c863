/** What a hub of the simulation says of its stamps: those of a state in memory. */
import { hexOf, utf8 } from '../../../src/base/bytes.ts';
import { encodeAgainEntry, hearAgain } from '../../../src/merge/op-again.ts';
import type { MemoryState } from '../../../src/merge/state/memory-state.ts';
import { textOfOpId } from '../../../src/merge/op-id.ts';
import { encodeStampsEntry, type OpStamp } from '../../../src/merge/op-stamps.ts';
import { compareStamps, encodeStampMark } from '../../../src/model/op.ts';
import { type Lane, laneOf, type Origin } from '../../../src/model/origin.ts';
import { sha256Hasher } from '../../../src/store/sha256-hasher.ts';
import type { PeerRange, PeerStamps } from '../../../src/sync/peers/contract.ts';
import type { DoorJournal } from '../memory/door-journal.ts';

/** Of all ops on records that are kept, by their names. */
export function stampsIn(state: MemoryState): OpStamp[] {
  return state
    .recordKeys()
    .flatMap((key) => state.writes(key))
    .flatMap(({ order, stamp }) => {
      const { origin, class: opClass, seq, authority } = order;
      return stamp === undefined
        ? []
        : { op: { origin, class: opClass, seq }, authority, ...stamp };
    })
    .toSorted((a, b) => (textOfOpId(a.op) < textOfOpId(b.op) ? -1 : 1));
}

export function textOfStamp({ op, authority, hub, hlc }: OpStamp): string {
  return `${textOfOpId(op)} ${authority} ${hexOf(encodeStampMark({ hub, hlc }))}`;
}

export function stampsOfState(
  stateOf: () => MemoryState,
  journal: DoorJournal,
  hub: Origin,
): PeerStamps {
  const list = ({ lane, from, to }: PeerRange): OpStamp[] =>
    stampsIn(stateOf()).filter(
      ({ op }) => laneOf(op.origin, op.class) === lane && op.seq >= from && op.seq <= to,
    );
  return {
    vector: () => {
      const vector = new Map<Lane, number>();
      for (const { op } of stampsIn(stateOf())) {
        const lane = laneOf(op.origin, op.class);
        vector.set(lane, Math.max(op.seq, vector.get(lane) ?? 0));
      }
      return vector;
    },
    digest: (range) => {
      const hasher = sha256Hasher();
      for (const stamp of list(range)) hasher.update(utf8(textOfStamp(stamp)));
      return hasher.finish().subarray(0, 8);
    },
    list,
    takeEvent: (stamped) => {
      const standing = stateOf().eventOrder(stamped.op.key);
      const { isGreater, ...heard } = hearAgain(stamped, standing, hub);
      return { lsn: isGreater ? journal.append(encodeAgainEntry(stamped), 0) : 0, ...heard };
    },
    take: (stamps) => {
      const own = new Map(stampsIn(stateOf()).map((stamp) => [textOfOpId(stamp.op), stamp]));
      const pairs = stamps.flatMap((there) => {
        const here = own.get(textOfOpId(there.op));
        return here === undefined ? [] : { here, there, order: compareStamps(there, here) };
      });
      const taken = pairs.filter(({ order }) => order < 0).map(({ there }) => there);
      const smallerHere = pairs.filter(({ order }) => order > 0).map(({ here }) => here);
      if (taken.length > 0) journal.append(encodeStampsEntry(taken), 0);
      return { taken, smallerHere };
    },
  };
}
