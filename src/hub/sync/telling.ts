/**
 * Ops that no device has handed in here, told to the devices whose ops they concern (sync/PROTOCOL.md §5): what people do at this
 * hub, what peers bring, and what comes down from the region.
 */
import { editOf } from '../../ingest/door/ops-message.ts';
import type { Op } from '../../model/op.ts';
import type { Notices } from '../../sync/notices.ts';
import type { Lsn, PeerDoor } from '../../sync/peers/contract.ts';

export type Telling = Pick<Notices, 'came'>;

/** `lsn`: where the op lies in the journal, or behind it. */
export function tellOf(op: Op, lsn: Lsn, notices: Telling): void {
  const edit = editOf(op);
  if (edit !== undefined) notices.came(edit, lsn);
}

/** The door as peers use it. */
export function tellingDoor(door: PeerDoor, notices: Telling): PeerDoor {
  return {
    holes: door.holes,
    vector: () => door.vector(),
    acceptPeerOp: (stamped, previous) => {
      const verdict = door.acceptPeerOp(stamped, previous);
      if (verdict.kind === 'taken') tellOf(stamped.op, verdict.lsn, notices);
      return verdict;
    },
  };
}
