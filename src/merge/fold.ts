/**
 * The fold: what one op changes in the state (MERGE.md). It asks the target for the orders of what the op
 * touches, compares, and writes only what prevails. Each piece of state is a register that keeps the
 * greatest write, which makes the fold commutative, associative and idempotent: replicas that have folded
 * the same ops hold the same state, in whatever order and however often the ops came.
 *
 * A target keeps only what lives: fields at or below the record's tombstone are dropped. That loses
 * nothing, because a later write must exceed the tombstone to live, and then it exceeds what was dropped.
 */
import { LOG } from '../model/class.ts';
import { EVENT, KIND_NAMES, type Op, PATCH, REMOVE, type StampedOp } from '../model/op.ts';
import { eventOrder, prevails, type WriteOrder, writeOrder } from './order.ts';
import { readPatch } from './patch.ts';

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
  /** The record's tombstone. */
  tombstone(key: string): WriteOrder | undefined;
  putTombstone(key: string, order: WriteOrder): void;
  fieldOrder(key: string, field: string): WriteOrder | undefined;
  fieldOrders(key: string): Iterable<readonly [field: string, order: WriteOrder]>;
  putField(key: string, field: string, write: FieldWrite): void;
  dropField(key: string, field: string): void;
}

/** Why an op cannot be folded by this version, or undefined where it can. */
export function unfoldable(op: Op): string | undefined {
  if (op.kind === EVENT) return undefined;
  if (op.kind === PATCH)
    return readPatch(op.body) === undefined ? 'malformed patch body' : undefined;
  if (op.kind === REMOVE) return op.body.length === 0 ? undefined : 'a remove has an empty body';
  return `kind ${KIND_NAMES[op.kind]} is not supported by this version`;
}

/** Folds one op; the target holds the outcome. Ops of class log and unfoldable ones have no effect. */
export function fold(target: FoldTarget, stamped: StampedOp): void {
  const { op } = stamped;
  if (op.class === LOG) return;
  if (op.kind === EVENT) foldEvent(target, stamped);
  else if (op.kind === PATCH) foldPatch(target, stamped);
  else if (op.kind === REMOVE && op.body.length === 0)
    foldRemove(target, op.key, writeOrder(stamped));
}

function foldEvent(target: FoldTarget, stamped: StampedOp): void {
  const { key, body } = stamped.op;
  const order = eventOrder(stamped);
  if (prevails(order, target.eventOrder(key))) target.putEvent(key, { order, body });
}

function foldPatch(target: FoldTarget, stamped: StampedOp): void {
  const { key, body } = stamped.op;
  const fields = readPatch(body);
  if (fields === undefined) return;
  const order = writeOrder(stamped);
  if (!prevails(order, target.tombstone(key))) return;
  for (const [field, value] of fields) {
    if (prevails(order, target.fieldOrder(key, field)))
      target.putField(key, field, { order, value });
  }
}

function foldRemove(target: FoldTarget, key: string, order: WriteOrder): void {
  if (!prevails(order, target.tombstone(key))) return;
  target.putTombstone(key, order);
  for (const [field, written] of target.fieldOrders(key)) {
    if (!prevails(written, order)) target.dropField(key, field);
  }
}
