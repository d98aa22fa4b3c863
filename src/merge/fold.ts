/**
 * The fold: what one op changes in the state (MERGE.md). An event is a register that keeps the greatest. Of a record all
 * ops are kept, because any of them may be undone, and its fields and counters are a function of that set (record.ts).
 * Hence the fold is commutative, associative and idempotent: replicas that have folded the same ops hold the
 * same state, in whatever order and however often the ops came.
 */
import { LOG } from '../model/class.ts';
import {
  ADD,
  EVENT,
  KIND_NAMES,
  type Op,
  PATCH,
  REMOVE,
  type StampedOp,
  UNDO,
} from '../model/op.ts';
import { eventOrder, prevails, type WriteOrder, writeOrder } from './order.ts';
import { readAdd, readPatch, readUndo } from './patch.ts';
import { foldRecord, type RecordState, type RecordWrite } from './record.ts';

/** The newest event of a key. */
export interface EventWrite {
  readonly order: WriteOrder;
  readonly body: Uint8Array;
}

/** The prevailing write of a field. */
export interface FieldWrite {
  readonly order: WriteOrder;
  /** One CBOR item. */
  readonly value: Uint8Array;
}

/** State that ops are folded into: memory on a device, tables on a hub. */
export interface FoldTarget {
  /** Order of the newest event of `key`. */
  eventOrder(key: string): WriteOrder | undefined;
  putEvent(key: string, write: EventWrite): void;
  /** Keeps the op; false where it was kept before. */
  addWrite(key: string, write: RecordWrite): boolean;
  /** All ops on the record. */
  writes(key: string): RecordWrite[];
  /** Whether one of them is an undo. */
  hasUndo(key: string): boolean;
  /** The record's tombstone. */
  tombstone(key: string): WriteOrder | undefined;
  fieldOrder(key: string, field: string): WriteOrder | undefined;
  putField(key: string, field: string, write: FieldWrite): void;
  addToCounter(key: string, field: string, delta: bigint): void;
  /** Replaces tombstone, fields and counters. */
  putRecord(key: string, state: RecordState): void;
}

/** Why an op cannot be folded by this version, or undefined where it can. */
export function unfoldable(op: Op): string | undefined {
  const { kind, body } = op;
  const malformed = `malformed ${KIND_NAMES[kind]} body`;
  if (kind === EVENT) return undefined;
  if (kind === PATCH) return readPatch(body) === undefined ? malformed : undefined;
  if (kind === REMOVE) return body.length === 0 ? undefined : 'a remove has an empty body';
  if (kind === ADD) return readAdd(body) === undefined ? malformed : undefined;
  if (kind === UNDO) return readUndo(body) === undefined ? malformed : undefined;
  return `kind ${KIND_NAMES[kind]} is not supported by this version`;
}

/** Folds one op; the target holds the outcome. Ops of class log and unfoldable ones have no effect. */
export function fold(target: FoldTarget, stamped: StampedOp): void {
  const { op } = stamped;
  if (op.class === LOG) return;
  if (op.kind === EVENT) foldEvent(target, stamped);
  else if (unfoldable(op) === undefined) foldWrite(target, stamped);
}

function foldEvent(target: FoldTarget, stamped: StampedOp): void {
  const { key, body } = stamped.op;
  const order = eventOrder(stamped);
  if (prevails(order, target.eventOrder(key))) target.putEvent(key, { order, body });
}

/**
 * A patch or an increment can only add to what stands, unless something is undone. What may take away (a remove, an
 * undo) folds the record anew.
 */
function foldWrite(target: FoldTarget, stamped: StampedOp): void {
  const { key, kind, body } = stamped.op;
  const order = writeOrder(stamped);
  if (!target.addWrite(key, { order, kind, body })) return;
  if (kind === REMOVE || kind === UNDO || target.hasUndo(key)) {
    target.putRecord(key, foldRecord(target.writes(key)));
    return;
  }
  if (!prevails(order, target.tombstone(key))) return;
  if (kind === ADD) {
    for (const [field, delta] of readAdd(body) ?? []) target.addToCounter(key, field, delta);
    return;
  }
  for (const [field, value] of readPatch(body)?.fields ?? []) {
    if (prevails(order, target.fieldOrder(key, field)))
      target.putField(key, field, { order, value });
  }
}
