/**
 * The one order that decides between writes: (authority, effective HLC, origin, seq, class), compared in
 * this sequence (MERGE.md §2). Origin, seq and class name the op, so two different ops never tie and every
 * replica picks the same winner. The encoded form compares like the value itself, byte by byte, so that a
 * database can pick the winner without us.
 */
import { assert } from '../base/assert.ts';
import { compareHlc, decodeHlc, effectiveHlc, encodeHlc, type Hlc } from '../model/hlc.ts';
import type { OpClass } from '../model/class.ts';
import type { StampedOp } from '../model/op.ts';
import { bytesOfOrigin, type Origin, originOfBytes } from '../model/origin.ts';

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
  const view = new DataView(bytes.buffer);
  bytes[0] = order.authority;
  bytes.set(encodeHlc(order.hlc), HLC_AT);
  bytes.set(bytesOfOrigin(order.origin), ORIGIN_AT);
  view.setUint32(SEQ_AT, Math.floor(order.seq / TWO_32));
  view.setUint32(SEQ_AT + 4, order.seq % TWO_32);
  bytes[CLASS_AT] = order.class;
  return bytes;
}

/** Reads what `encodeOrder` wrote; the bytes are our own, so anything else is a bug. */
export function decodeOrder(bytes: Uint8Array): WriteOrder {
  assert(bytes.length === ORDER_BYTES, 'an encoded order has 26 bytes');
  const view = new DataView(bytes.buffer, bytes.byteOffset, ORDER_BYTES);
  const hlc = decodeHlc(bytes.subarray(HLC_AT, ORIGIN_AT)) as Hlc;
  const origin = originOfBytes(bytes.subarray(ORIGIN_AT, SEQ_AT)) as Origin;
  const seq = view.getUint32(SEQ_AT) * TWO_32 + view.getUint32(SEQ_AT + 4);
  return { authority: bytes[0] as number, hlc, origin, seq, class: bytes[CLASS_AT] as OpClass };
}
