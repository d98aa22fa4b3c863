/**
 * What a device sends to `sync/<device>/ops` (sync/PROTOCOL.md §2), cut into ops; and the outcome it
 * gets. A message that breaks off or is not canonical is read as far as it goes: the ops before the fault
 * count, the message is refused with the reason.
 */
import { EMPTY_BYTES } from '../../base/bytes.ts';
import { CborError, CborReader } from '../../codec/reader.ts';
import type { OpClass } from '../../model/class.ts';
import { type Kind, type Op, readOp, UNDO } from '../../model/op.ts';
import type { Origin } from '../../model/origin.ts';
import type { Lsn } from '../journal-port.ts';

export const OPS_MAX = 1000;
export const OPS_BYTES_MAX = 1 << 20;
const OPS_LIMITS = { depthMax: 3, itemsMax: 16 * OPS_MAX };

export interface AcceptedLane {
  readonly origin: Origin;
  readonly class: OpClass;
  /** Highest seq up to which the hub has every op of the lane. */
  readonly seq: number;
}

/** `later`: may be taken another time. `never`: not as it is. `gap`: when what lies before it has come. */
export type Verdict = 'later' | 'never' | 'gap';

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

export interface OpsOutcome {
  /** The receipt may leave when this is durable; 0 where nothing was journaled. */
  readonly lsn: Lsn;
  readonly accepted: readonly AcceptedLane[];
  readonly rejected: readonly RejectedOp[];
  /** What of it may be in conflict with others, or take back what others made. */
  readonly edits: readonly TakenEdit[];
  /** The device speaks for an origin that another device speaks for. */
  readonly isClash: boolean;
  /** Why the message, or what is left of it, could not be read. */
  readonly refused?: string;
}

export interface ReadOps {
  readonly ops: readonly { readonly op: Op; readonly bytes: Uint8Array }[];
  readonly refused?: string;
}

/** Cuts the message; bytes and bodies alias it. */
export function readOpsMessage(message: Uint8Array): ReadOps {
  const ops: { op: Op; bytes: Uint8Array }[] = [];
  if (message.length > OPS_BYTES_MAX) return { ops, refused: `more than ${OPS_BYTES_MAX} bytes` };
  try {
    const reader = new CborReader(message, 0, OPS_LIMITS);
    const count = reader.array();
    if (count > OPS_MAX) return { ops, refused: `more than ${OPS_MAX} ops` };
    for (let i = 0; i < count; i++) {
      const start = reader.offset;
      const op = readOp(reader);
      ops.push({ op, bytes: message.subarray(start, reader.offset) });
    }
    return reader.atEnd ? { ops } : { ops, refused: 'bytes after the end' };
  } catch (error) {
    if (error instanceof CborError) return { ops, refused: error.message };
    throw error;
  }
}

/** What whoever handed in the op is told of its edit. */
export function editOf({ origin, class: opClass, seq, kind, key, body }: Op): TakenEdit {
  return { origin, class: opClass, seq, kind, key, body: kind === UNDO ? body : EMPTY_BYTES };
}
