/**
 * What a device sends to `sync/<device>/ops` (sync/PROTOCOL.md §2), cut into ops; and the outcome it
 * gets. A message that breaks off or is not canonical is read as far as it goes: the ops before the fault
 * count, the message is refused with the reason.
 */
import { EMPTY_BYTES } from '../../base/bytes.ts';
import { CborError, CborReader } from '../../codec/reader.ts';
import { carriesBytes } from '../../model/asset-bytes.ts';
import { isOpClass, type OpClass } from '../../model/class.ts';
import { ASSET, type Kind, type Op, PATCH, readOp, UNDO } from '../../model/op.ts';
import { type Lane, laneOf, type Origin, originOfBytes } from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { Lsn } from '../journal-port.ts';

export const OPS_MAX = 1000;
const OPS_BYTES_MAX = 1 << 20;
const FLOORS_MAX = 64;
const OPS_LIMITS = { depthMax: 4, itemsMax: 16 * OPS_MAX + 8 * FLOORS_MAX };
const MAP_OF_TWO = 0xa2;

interface AcceptedLane {
  readonly origin: Origin;
  readonly class: OpClass;
  /** Highest seq up to which the hub has every op of the lane. */
  readonly seq: number;
}

/** `later`: may be taken another time. `never`: not as it is. `gap`: when what lies before it has come. */
type Verdict = 'later' | 'never' | 'gap';

export interface RejectedOp {
  readonly origin: Origin;
  readonly class: OpClass;
  readonly seq: number;
  readonly reason: string;
  readonly verdict: Verdict;
}

/** An op on a record that is in the journal now. */
export interface TakenEdit {
  readonly origin: Origin;
  readonly class: OpClass;
  readonly seq: number;
  readonly kind: Kind;
  readonly key: string;
  /** Of an undo: it names the ops it takes back. Empty otherwise. */
  readonly body: Uint8Array;
}

/** An event that is in the journal now: a message for whoever has subscribed to its topic. */
export interface TakenMessage {
  readonly lsn: Lsn;
  readonly topic: string;
  /** Lies in the message that brought it. */
  readonly payload: Uint8Array;
}

export interface OpsOutcome {
  /** The receipt may leave when this is durable; 0: at once, for nothing that it names is on its way to the card. */
  readonly lsn: Lsn;
  readonly accepted: readonly AcceptedLane[];
  readonly rejected: readonly RejectedOp[];
  /** What of it may be in conflict with others, or take back what others made. */
  readonly edits: readonly TakenEdit[];
  /** In the order of the journal. */
  readonly messages: readonly TakenMessage[];
  /** The device speaks for an origin that another device speaks for. */
  readonly isClash: boolean;
  /** Why the message, or what is left of it, could not be read. */
  readonly refused?: string;
}

interface ReadOps {
  readonly ops: readonly { readonly op: Op; readonly bytes: Uint8Array }[];
  /** Up to where some hub has everything, as the device says; the lane may go on behind it. */
  readonly floors: VersionVector;
  readonly refused?: string;
}

/** Cuts the message; bytes and bodies alias it. */
export function readOpsMessage(message: Uint8Array): ReadOps {
  const ops: { op: Op; bytes: Uint8Array }[] = [];
  const floors = new Map<Lane, number>();
  const refuse = (refused: string): ReadOps => ({ ops, floors, refused });
  if (message.length > OPS_BYTES_MAX) return refuse(`more than ${OPS_BYTES_MAX} bytes`);
  try {
    const reader = new CborReader(message, 0, OPS_LIMITS);
    const hasFloors = message[0] === MAP_OF_TWO;
    if (hasFloors && (reader.map() !== 2 || reader.text() !== 'ops')) return refuse('no ops');
    const count = reader.array();
    if (count > OPS_MAX) return refuse(`more than ${OPS_MAX} ops`);
    for (let i = 0; i < count; i++) {
      const start = reader.offset;
      const op = readOp(reader);
      ops.push({ op, bytes: message.subarray(start, reader.offset) });
    }
    if (hasFloors) readFloors(reader, floors);
    return reader.atEnd ? { ops, floors } : refuse('bytes after the end');
  } catch (error) {
    if (error instanceof CborError) return refuse(error.message);
    throw error;
  }
}

function readFloors(reader: CborReader, floors: Map<Lane, number>): void {
  if (reader.text() !== 'floors') throw new CborError('not the floors', reader.offset);
  const count = reader.array();
  if (count > FLOORS_MAX) throw new CborError(`more than ${FLOORS_MAX} floors`, reader.offset);
  for (let i = 0; i < count; i++) {
    reader.expectArray(3);
    const origin = originOfBytes(reader.bytes());
    const opClass = reader.uint();
    if (origin === undefined || !isOpClass(opClass)) {
      throw new CborError('not a lane', reader.offset);
    }
    floors.set(laneOf(origin, opClass), reader.uint());
  }
}

/** The edit of an op that may be in conflict with others, or take others back; undefined for any other op. */
export function editOf(op: Op): TakenEdit | undefined {
  const { origin, class: opClass, seq, kind, key, body } = op;
  const isWrite = kind === PATCH || (kind === ASSET && !carriesBytes(op));
  if (!isWrite && kind !== UNDO) return undefined;
  return { origin, class: opClass, seq, kind, key, body: kind === UNDO ? body : EMPTY_BYTES };
}
