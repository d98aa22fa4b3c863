/** An op on a record as it is kept, and what all of them come to (record/fold-record.ts). */
import type { Kind, StampMark } from '../model/op.ts';
import { compareOrders, type WriteOrder } from './order.ts';

/** An op on a record, as it is kept. */
export interface RecordWrite {
  readonly order: WriteOrder;
  readonly kind: Kind;
  readonly body: Uint8Array;
  /** Of the stamp that counts; an older version did not keep it. */
  readonly stamp?: StampMark | undefined;
}

/** The prevailing write of a field. */
export interface FieldWrite {
  readonly order: WriteOrder;
  /** One CBOR item. */
  readonly value: Uint8Array;
}

/** Sum of the increments that live, modulo 2^64, as a signed number. */
export interface Counter {
  readonly total: bigint;
  /** How many increments live. */
  readonly adds: number;
}

export interface RecordState {
  readonly tombstone: WriteOrder | undefined;
  readonly fields: ReadonlyMap<string, FieldWrite>;
  readonly counters: ReadonlyMap<string, Counter>;
}

const COUNTER_BITS = 64;

/** With so many increments more, or less, that come to `delta`. */
export function plus({ total, adds }: Counter, delta: bigint, count = 1): Counter {
  return { total: BigInt.asIntN(COUNTER_BITS, total + delta), adds: adds + count };
}

export const NO_COUNTER: Counter = { total: 0n, adds: 0 };

/** Two's complement, big-endian: eight bytes. */
export function bytesOfTotal(total: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, total);
  return bytes;
}

/** Reads what `bytesOfTotal` wrote. */
export function totalOfBytes(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0);
}

/** The writes in the order in which the later prevails. */
export function inOrder(writes: readonly RecordWrite[]): RecordWrite[] {
  return writes.toSorted((a, b) => compareOrders(a.order, b.order));
}
