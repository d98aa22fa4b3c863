/**
 * The one order that decides between writes: (authority, effective HLC, origin, seq, class), compared in
 * this sequence (MERGE.md §2). Origin, seq and class name the op, so two different ops never tie and every
 * replica picks the same winner. The encoded form compares like the value itself, byte by byte, so that a
 * database can pick the winner without us.
 */
import { assert } from '../base/assert.ts';
import { putUint32, uint32At } from '../base/bytes.ts';
import { CborError, type CborReader } from '../codec/reader.ts';
import { compareHlc, effectiveHlc, type Hlc, hlcAt, putHlc } from '../model/hlc.ts';
import type { OpClass } from '../model/class.ts';
import type { StampedOp } from '../model/op.ts';
import { type Origin, originAt, putOrigin } from '../model/origin.ts';

export interface WriteOrder {
  /** Rank of the writer's role; 0 for events, which know no authority. */
  readonly authority: number;
  /** The op's own time, or the stamp's where the op claims to be from the future. */
  readonly hlc: Hlc;
  readonly origin: Origin;
  readonly seq: number;
  readonly class: OpClass;
}

/** Place of an event among the events of its key. */
export function eventOrder(stamped: StampedOp): WriteOrder {
  return orderOf(stamped, 0);
}

/** Place of a patch or remove among the writes of its record. */
export function writeOrder(stamped: StampedOp): WriteOrder {
  return orderOf(stamped, stamped.stamp.authority);
}

function orderOf({ op, stamp }: StampedOp, authority: number): WriteOrder {
  const hlc = effectiveHlc(op.hlc, stamp.hlc);
  return { authority, hlc, origin: op.origin, seq: op.seq, class: op.class };
}

/** Negative where `a` yields to `b`, positive where it prevails, 0 only for one and the same op. */
export function compareOrders(a: WriteOrder, b: WriteOrder): number {
  return a.authority - b.authority || compareTimes(a, b);
}

/** The same without authority: which came later. */
export function compareTimes(a: WriteOrder, b: WriteOrder): number {
  return (
    compareHlc(a.hlc, b.hlc) ||
    (a.origin < b.origin ? -1 : a.origin > b.origin ? 1 : 0) ||
    a.seq - b.seq ||
    a.class - b.class
  );
}

/** True where a write of order `a` replaces what stands with order `b`. */
export function prevails(a: WriteOrder, b: WriteOrder | undefined): boolean {
  return b === undefined || compareOrders(a, b) > 0;
}

/**
 *   offset  bytes  field     (integers are unsigned, big-endian)
 *        0      1  authority
 *        1      8  hlc
 *        9      8  origin
 *       17      8  seq
 *       25      1  class
 */
export const ORDER_BYTES = 26;
const HLC_AT = 1;
/** From here on the bytes name the op. */
export const ORIGIN_AT = 9;
const SEQ_AT = 17;
const CLASS_AT = 25;
const TWO_32 = 0x100000000;

export function encodeOrder(order: WriteOrder): Uint8Array {
  const bytes = new Uint8Array(ORDER_BYTES);
  putOrder(bytes, 0, order);
  return bytes;
}

/** Writes the 26 bytes from `at` on. */
export function putOrder(bytes: Uint8Array, at: number, order: WriteOrder): void {
  bytes[at] = order.authority;
  putHlc(bytes, at + HLC_AT, order.hlc);
  putOrigin(bytes, at + ORIGIN_AT, order.origin);
  putUint32(bytes, at + SEQ_AT, Math.floor(order.seq / TWO_32));
  putUint32(bytes, at + SEQ_AT + 4, order.seq);
  bytes[at + CLASS_AT] = order.class;
}

/** Reads what `encodeOrder` wrote; the bytes are our own, so anything else is a bug. */
export function decodeOrder(bytes: Uint8Array): WriteOrder {
  assert(bytes.length === ORDER_BYTES, 'an encoded order has 26 bytes');
  return orderAt(bytes, 0);
}

/** Reads an order as a byte string; throws `CborError` where it has not 26 bytes. */
export function readOrder(reader: CborReader): WriteOrder {
  const bytes = reader.bytes();
  if (bytes.length !== ORDER_BYTES) throw new CborError('an order has 26 bytes', reader.offset);
  return decodeOrder(bytes);
}

/** The order whose 26 bytes begin at `at`. */
export function orderAt(bytes: Uint8Array, at: number): WriteOrder {
  const hlc = hlcAt(bytes, at + HLC_AT);
  const origin = originAt(bytes, at + ORIGIN_AT);
  const seq = uint32At(bytes, at + SEQ_AT) * TWO_32 + uint32At(bytes, at + SEQ_AT + 4);
  const opClass = bytes[at + CLASS_AT] as OpClass;
  return { authority: bytes[at] as number, hlc, origin, seq, class: opClass };
}
