/**
 * An op on a record as the one column in which it is kept. It begins with its order, so that a table sorts ops as the fold
 * compares them, and one column is bound where five were: that halves what SQLite is given to do for an op.
 *
 *   offset  bytes  field
 *        0     26  order (merge/order.ts)
 *       26      1  kind
 *       27     16  HLC and hub of its stamp; zero where an older version did not keep it
 *       43      …  body
 */
import { HubError } from '../../../base/errors.ts';
import type { OpId } from '../../../merge/op-id.ts';
import {
  encodeOrder,
  ORDER_BYTES,
  orderAt,
  ORIGIN_AT,
  putOrder,
  type WriteOrder,
} from '../../../merge/order.ts';
import type { RecordWrite } from '../../../merge/record.ts';
import { HLC_ZERO } from '../../../model/hlc.ts';
import {
  type Kind,
  putStampMark,
  STAMP_MARK_BYTES,
  type StampMark,
  stampMarkAt,
} from '../../../model/op.ts';
import type { SqlRow } from '../../database/sqlite.ts';

export type PackedWrite = Uint8Array;

export const KIND_AT = ORDER_BYTES;
const STAMP_AT = KIND_AT + 1;
export const BODY_AT = STAMP_AT + STAMP_MARK_BYTES;
/** Behind every kind: what follows an order in a bound that is above all ops of this order. */
const ABOVE_KINDS = 0xff;

export function packedLength({ body }: RecordWrite): number {
  return BODY_AT + body.length;
}

/** Writes the op from `at` on, over zeros. */
export function putWrite(bytes: Uint8Array, at: number, write: RecordWrite): void {
  putOrder(bytes, at, write.order);
  bytes[at + KIND_AT] = write.kind;
  if (write.stamp !== undefined) putStampMark(bytes, at + STAMP_AT, write.stamp);
  bytes.set(write.body, at + BODY_AT);
}

export function packWrite(write: RecordWrite): PackedWrite {
  const bytes = new Uint8Array(packedLength(write));
  putWrite(bytes, 0, write);
  return bytes;
}

/** The op; its body aliases the bytes. */
export function unpackWrite(packed: PackedWrite): RecordWrite {
  const write = { order: orderAt(packed, 0), kind: kindOf(packed), body: bodyOf(packed) };
  const stamp = stampAt(packed, STAMP_AT);
  return stamp === undefined ? write : { ...write, stamp };
}

/** The stamp that begins at `at`; undefined where there are zeros. */
export function stampAt(bytes: Uint8Array, at: number): StampMark | undefined {
  for (let i = 0; i < STAMP_MARK_BYTES; i++) if (bytes[at + i] !== 0) return stampMarkAt(bytes, at);
  return undefined;
}

export function kindOf(packed: PackedWrite): Kind {
  return packed[KIND_AT] as Kind;
}

export function bodyOf(packed: PackedWrite): Uint8Array {
  return packed.subarray(BODY_AT);
}

/** Whether the body has these bytes somewhere. */
export function bodyHas(packed: PackedWrite, mark: Uint8Array): boolean {
  const last = packed.length - mark.length;
  for (let at = BODY_AT; at <= last; at++) {
    let i = 0;
    while (i < mark.length && packed[at + i] === mark[i]) i += 1;
    if (i === mark.length) return true;
  }
  return false;
}

/** Whether it is the op whose name (`nameOfOp`) this is. */
export function isNamed(packed: PackedWrite, name: Uint8Array): boolean {
  // From the end: ops of one origin differ there.
  for (let i = name.length - 1; i >= 0; i--) if (packed[ORIGIN_AT + i] !== name[i]) return false;
  return true;
}

/** Compares by orders: negative, 0 or positive. */
export function compareRanks(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < ORDER_BYTES; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A bound: this op and lower ones are below it, greater ones above. */
export function boundAbove(order: WriteOrder): Uint8Array {
  const bytes = new Uint8Array(ORDER_BYTES + 1);
  putOrder(bytes, 0, order);
  bytes[KIND_AT] = ABOVE_KINDS;
  return bytes;
}

/** What ends the rank of the op: origin, seq, class. */
export function nameOfOp({ origin, class: opClass, seq }: OpId): Uint8Array {
  const order = { authority: 0, hlc: HLC_ZERO, origin, class: opClass, seq };
  return encodeOrder(order).subarray(ORIGIN_AT);
}

/** The op in a row; what is malformed is damage to the file. */
export function packedOf(row: SqlRow): PackedWrite {
  const op = row['op'];
  if (op instanceof Uint8Array && op.length >= BODY_AT) return op;
  throw new HubError('store.damaged', 'state database: an op on a record is malformed');
}

export function writeOf(row: SqlRow): RecordWrite {
  return unpackWrite(packedOf(row));
}
