/** The stamps of this hub's store, for its peers, and what it takes over from them: an entry of the journal, as all that counts. */
import { type OpStamp, encodeStampsEntry } from '../../merge/op-stamps.ts';
import { encodeAgainEntry, hearAgain } from '../../merge/op-again.ts';
import { compareStamps } from '../../model/op.ts';
import type { Origin } from '../../model/origin.ts';
import type { PeerRange, PeerStamps } from '../../sync/peers/contract.ts';
import type { Serving } from '../serving.ts';

const LINGER_MS = 50;

export function stampsOf(
  { store, journal }: Pick<Serving, 'store' | 'journal'>,
  hub: Origin,
): PeerStamps {
  const whichIsSmaller = (stamp: OpStamp): OpStamp | 'there' | undefined => {
    // What is folded and not kept yet shows here, too: the state is read in the transaction that writes it.
    const item = store.state.reader.writeItem(stamp.op);
    if (item?.type !== 'write') return undefined;
    const { write } = item;
    const order = write.stamp === undefined ? -1 : compareStamps(stamp, write.stamp);
    if (order < 0) return 'there';
    if (order === 0 || write.stamp === undefined) return undefined;
    return { op: stamp.op, authority: write.order.authority, ...write.stamp };
  };
  return {
    vector: () => store.state.vector(),
    digest: ({ lane, from, to }: PeerRange) => store.state.records.stampsDigest(lane, from, to),
    takeEvent: (stamped) => {
      const standing = store.state.eventOrder(stamped.op.key);
      const { isGreater, ...heard } = hearAgain(stamped, standing, hub);
      return {
        lsn: isGreater ? journal.append(encodeAgainEntry(stamped), LINGER_MS) : 0,
        ...heard,
      };
    },
    list: ({ lane, from, to }: PeerRange) => store.state.records.stamps(lane, from, to),
    take: (stamps) => {
      const taken: OpStamp[] = [];
      const smallerHere: OpStamp[] = [];
      for (const stamp of stamps) {
        const smaller = whichIsSmaller(stamp);
        if (smaller === 'there') taken.push(stamp);
        else if (smaller !== undefined) smallerHere.push(smaller);
      }
      // Each in an entry of its own, so that a device that follows has all of an LSN or nothing.
      for (const stamp of taken) journal.append(encodeStampsEntry([stamp]), LINGER_MS);
      return { taken, smallerHere };
    },
  };
}
