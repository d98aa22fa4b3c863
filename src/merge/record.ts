/**
 * A record as a function of the set of its ops (MERGE.md §3): which of them count, and what they come to. This is the
 * definition; fold.ts takes short cuts where it can prove that they end at the same place.
 */
import { ADD, ASSET, type Kind, PATCH, REMOVE, type StampMark, UNDO } from '../model/op.ts';
import type { FieldWrite } from './fold.ts';
import { type OpId, textOfOpId } from './op-id.ts';
import { compareOrders, compareTimes, prevails, type WriteOrder } from './order.ts';
import { readAdd, readUndo } from './patch.ts';
import { readRegisterWrites } from './register-writes.ts';

/** An op on a record, as it is kept. */
export interface RecordWrite {
  readonly order: WriteOrder;
  readonly kind: Kind;
  readonly body: Uint8Array;
  /** Of the stamp that counts; an older version did not keep it. */
  readonly stamp?: StampMark | undefined;
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

export function plus({ total, adds }: Counter, delta: bigint): Counter {
  return { total: BigInt.asIntN(COUNTER_BITS, total + delta), adds: adds + 1 };
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

/** The writes that no effective undo names, undos left out; in no particular order. */
export function effectiveWrites(writes: readonly RecordWrite[]): RecordWrite[] {
  const undone = undoneOps(writes);
  return writes.filter(({ order, kind }) => kind !== UNDO && !undone.has(textOfOpId(order)));
}

/**
 * Names of the ops that are undone. An undo reaches what is earlier than itself and bears no higher authority; from
 * the latest to the earliest, each is known to count or not before what it names is met.
 */
export function undoneOps(writes: readonly RecordWrite[]): Set<string> {
  const undone = new Set<string>();
  const undos = writes.filter(({ kind }) => kind === UNDO);
  if (undos.length === 0) return undone;
  const byName = new Map(writes.map((write) => [textOfOpId(write.order), write]));
  for (const undo of undos.toSorted((a, b) => compareTimes(b.order, a.order))) {
    if (undone.has(textOfOpId(undo.order))) continue;
    for (const id of readUndo(undo.body) ?? []) {
      const target = byName.get(textOfOpId(id));
      if (target !== undefined && mayUndo(undo.order, target.order)) undone.add(textOfOpId(id));
    }
  }
  return undone;
}

/** Whether an undo of order `undo` reaches an op of order `target`. */
export function mayUndo(undo: WriteOrder, target: WriteOrder): boolean {
  return undo.authority >= target.authority && compareTimes(undo, target) > 0;
}

/** What the ops of a record come to. */
export function foldRecord(writes: readonly RecordWrite[]): RecordState {
  const effective = effectiveWrites(writes);
  let tombstone: WriteOrder | undefined;
  for (const { order, kind } of effective) {
    if (kind === REMOVE && prevails(order, tombstone)) tombstone = order;
  }
  const fields = new Map<string, FieldWrite>();
  const counters = new Map<string, Counter>();
  for (const { order, kind, body } of effective) {
    if (!prevails(order, tombstone)) continue;
    if (kind === PATCH || kind === ASSET) {
      for (const [field, value] of readRegisterWrites(kind, body)?.fields ?? []) {
        if (prevails(order, fields.get(field)?.order)) fields.set(field, { order, value });
      }
    } else if (kind === ADD) {
      for (const [field, delta] of readAdd(body) ?? []) {
        counters.set(field, plus(counters.get(field) ?? NO_COUNTER, delta));
      }
    }
  }
  return { tombstone, fields, counters };
}

/** True where the two name the same op. */
export function isSameOp(a: OpId, b: OpId): boolean {
  return a.origin === b.origin && a.class === b.class && a.seq === b.seq;
}

/** The writes in the order in which the later prevails. */
export function inOrder(writes: readonly RecordWrite[]): RecordWrite[] {
  return writes.toSorted((a, b) => compareOrders(a.order, b.order));
}
