/**
 * An event that is here already, with the stamp that another hub gave it: the entry of the journal by which it counts as a second
 * candidate for its key (MERGE.md §4). It matters where the maker's clock was wild alone, since its moment is the stamp's then.
 *
 *   again-entry = ["again", op, stamp]       ; body of a local entry
 */
import { CborWriter } from '../codec/writer.ts';
import { encodeLocalEntry, readTagged } from '../model/entry.ts';
import { LOG } from '../model/class.ts';
import { compareHlc, effectiveHlc } from '../model/hlc.ts';
import { EVENT, readOp, readStamp, type StampedOp, writeStamp } from '../model/op.ts';
import type { Origin } from '../model/origin.ts';
import { isSameOp } from './op-id.ts';
import { compareOrders, eventOrder, prevails, type WriteOrder } from './order.ts';

const TAG = 'again';

/** Whether the moment of an event is that of its stamp. */
export function isWildEvent({ op, stamp }: StampedOp): boolean {
  return op.kind === EVENT && compareHlc(effectiveHlc(op.hlc, stamp.hlc), op.hlc) !== 0;
}

export function encodeAgainEntry({ bytes, stamp }: StampedOp): Uint8Array {
  const writer = new CborWriter(bytes.length + 48).array(3).text(TAG).raw(bytes);
  writeStamp(writer, stamp);
  return encodeLocalEntry(writer.finish());
}

/** Reads the body of a local entry; undefined where it is something else. */
export function againIn(body: Uint8Array): StampedOp | undefined {
  return readTagged(body, { tag: TAG, items: 3 }, (reader) => {
    const start = reader.offset;
    const op = readOp(reader);
    const bytes = body.subarray(start, reader.offset);
    return { bytes, op, stamp: readStamp(reader) };
  });
}

/**
 * What becomes of an event that comes with another stamp: it is greater than what stands for its key; or it stands there
 * itself by a greater one, which its sender has to hear of; or neither.
 */
export function hearAgain(
  stamped: StampedOp,
  standing: WriteOrder | undefined,
  hub: Origin,
): { readonly isGreater: boolean; readonly greaterHere?: StampedOp } {
  const { op, bytes, stamp } = stamped;
  const order = eventOrder(stamped);
  if (op.class === LOG) return { isGreater: false };
  if (prevails(order, standing)) return { isGreater: true };
  const isIt = standing !== undefined && isSameOp(standing, op);
  if (!isIt || compareOrders(standing, order) <= 0) return { isGreater: false };
  // The moment is all that counts of the stamp. Where it makes no other order, its maker has told two different ops by one
  // name, and two hubs would tell each other for ever.
  const greaterHere = { op, bytes, stamp: { ...stamp, hub, hlc: standing.hlc } };
  const isHeard = compareOrders(eventOrder(greaterHere), standing) === 0;
  return isHeard ? { isGreater: false, greaterHere } : { isGreater: false };
}
