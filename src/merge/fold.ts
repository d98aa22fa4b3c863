/**
 * The fold: what one op changes in the state (MERGE.md). An event is a register that keeps the greatest. Of a record all
 * ops are kept, because any of them may be undone, and its fields and counters are a function of that set (record.ts).
 * Hence the fold is commutative, associative and idempotent: replicas that have folded the same ops hold the
 * same state, in whatever order and however often the ops came.
 */
import { LOG } from '../model/class.ts';
import { carriesBytes, unfitBytes } from '../model/asset-bytes.ts';
import {
  ADD,
  ASSET,
  compareStamps,
  DOC,
  EVENT,
  isRecordKind,
  KIND_NAMES,
  type Op,
  PATCH,
  REMOVE,
  type StampedOp,
  UNDO,
} from '../model/op.ts';
import { compareHlc, effectiveHlc } from '../model/hlc.ts';
import { changeIn, unfitUpdate } from './doc/document.ts';
import { opIdOf } from './op-id.ts';
import type { OpStamp } from './op-stamps.ts';
import { compareOrders, eventOrder, prevails, type WriteOrder, writeOrder } from './order.ts';
import { readAssetVersion } from './asset/asset-version.ts';
import { type Patch, readAdd, readPatch, readUndo } from './patch.ts';
import { readRegisterWrites } from './register-writes.ts';
import type { FoldTarget } from './fold-target.ts';
import type { RecordWrite } from './record.ts';
import { readHorizon } from './record/horizon.ts';
import { applyFlips, keepWrite, refold, type Touched, UNTOUCHED } from './record/standing.ts';
import { type Flip, flipsOf, isUndone } from './record/undone.ts';

/** Why an op cannot be folded by this version, or undefined where it can. */
export function unfoldable(op: Op): string | undefined {
  const { kind, body } = op;
  const malformed = `malformed ${KIND_NAMES[kind]} body`;
  if (kind === EVENT) return undefined;
  if (kind === PATCH) return readPatch(body) === undefined ? malformed : undefined;
  if (kind === REMOVE) return body.length === 0 ? undefined : 'a remove has an empty body';
  if (kind === ADD) return readAdd(body) === undefined ? malformed : undefined;
  if (kind === UNDO) return readUndo(body) === undefined ? malformed : undefined;
  if (kind === ASSET) return unfoldableAsset(op);
  if (kind === DOC) return unfoldableDoc(op);
  return readHorizon(body) === undefined ? malformed : undefined;
}

function unfoldableAsset(op: Op): string | undefined {
  if (carriesBytes(op)) return unfitBytes(op);
  return readAssetVersion(op.body) === undefined ? 'malformed asset body' : undefined;
}

function unfoldableDoc({ body }: Op): string | undefined {
  const reason = unfitUpdate(body);
  return reason === undefined ? undefined : `malformed doc body: ${reason}`;
}

/**
 * Folds one op; the target holds the outcome. Ops of class log and unfoldable ones have no effect. Returns in which fields
 * of its record what counts has changed. `written` is what a patch or version writes, where that was read before; to `flips`
 * is added what an undo has taken away or brought back.
 */
export function fold(
  target: FoldTarget,
  stamped: StampedOp,
  written = readRegisterWrites(stamped.op.kind, stamped.op.body),
  flips: Flip[] = [],
): Touched {
  const { op } = stamped;
  if (op.class === LOG) return UNTOUCHED;
  if (op.kind === EVENT) foldEvent(target, stamped);
  else if (op.kind === PATCH || op.kind === ASSET) return foldWrite(target, stamped, written);
  else if (op.kind === ADD) foldAdd(target, stamped);
  else if (op.kind === DOC) foldDoc(target, op);
  else if (unfoldable(op) === undefined) return foldTaking(target, stamped, flips);
  return UNTOUCHED;
}

function foldEvent(target: FoldTarget, stamped: StampedOp): void {
  const { key, body } = stamped.op;
  const order = eventOrder(stamped);
  if (prevails(order, target.eventOrder(key))) target.putEvent(key, { order, body });
}

/** A patch, or a version of an asset, can only add to what stands. */
function foldWrite(target: FoldTarget, stamped: StampedOp, written: Patch | undefined): Touched {
  const { key } = stamped.op;
  const order = written === undefined ? undefined : kept(target, stamped);
  if (written === undefined || order === undefined) return UNTOUCHED;
  for (const [field, value] of written.fields) {
    if (prevails(order, target.fieldOrder(key, field)))
      target.putField(key, field, { order, value });
  }
  return new Set(written.fields.keys());
}

/** So can an increment. */
function foldAdd(target: FoldTarget, stamped: StampedOp): void {
  const { key, body } = stamped.op;
  const deltas = readAdd(body);
  if (deltas === undefined || kept(target, stamped) === undefined) return;
  for (const [field, delta] of deltas) target.addToCounter(key, field, delta, 1);
}

/** Updates of a document join, in whatever order; none is ever taken away. */
function foldDoc(target: FoldTarget, op: Op): void {
  const change = changeIn(op.body);
  if (typeof change === 'string') return;
  target.mergeDoc(op.key, change, opIdOf(op));
}

/** Keeps the op; its order where it counts and exceeds the tombstone. */
function kept(target: FoldTarget, stamped: StampedOp): WriteOrder | undefined {
  const { key } = stamped.op;
  const write = writeIn(stamped);
  const { order } = write;
  if (!keepWrite(target, key, write)) {
    foldAgain(target, stamped);
    return undefined;
  }
  if (!prevails(order, target.tombstone(key)) || isUndone(target.opsOf(key), order))
    return undefined;
  return order;
}

/** What may take away: a remove, an undo, a horizon. */
function foldTaking(target: FoldTarget, stamped: StampedOp, flips: Flip[]): Touched {
  const { key, kind } = stamped.op;
  const write = writeIn(stamped);
  const { order } = write;
  if (!keepWrite(target, key, write)) return foldAgain(target, stamped) ? 'all' : UNTOUCHED;
  if (kind === UNDO) {
    if (isUndone(target.opsOf(key), order)) return UNTOUCHED;
    flips.push(...flipsOf(target.opsOf(key), write));
    return applyFlips(target, key, flips);
  }
  if (kind === REMOVE) {
    if (!prevails(order, target.tombstone(key)) || isUndone(target.opsOf(key), order))
      return UNTOUCHED;
  }
  refold(target, key);
  return 'all';
}

/**
 * Two hubs accepted one op before they met (MERGE.md §4): of its stamps the smaller counts. True where that is the one that
 * has come now, and the record was folded anew.
 */
export function foldAgain(target: FoldTarget, stamped: StampedOp): boolean {
  const { op, stamp } = stamped;
  if (op.class === LOG || !isRecordKind(op.kind)) return false;
  const before = target.opsOf(op.key).writeOf(op);
  if (before === undefined) return false;
  if (before.stamp !== undefined && compareStamps(stamp, before.stamp) >= 0) return false;
  const write = writeIn(stamped);
  target.replaceWrite(op.key, before, write);
  if (compareOrders(before.order, write.order) === 0) return false;
  refold(target, op.key);
  return true;
}

/** The same where only the stamp has come: what is kept of the op says what its own time was. */
export function restamp(
  target: FoldTarget,
  key: string,
  { op, authority, hub, hlc }: OpStamp,
): boolean {
  const before = target.opsOf(key).writeOf(op);
  if (before === undefined) return false;
  const { stamp } = before;
  if (stamp !== undefined && compareStamps({ hub, hlc }, stamp) >= 0) return false;
  // A hub stamps later than what it has seen: where both are the same, the op claimed to be from the future.
  const isWild = stamp !== undefined && compareHlc(before.order.hlc, stamp.hlc) === 0;
  const effective = isWild ? hlc : effectiveHlc(before.order.hlc, hlc);
  const write = {
    ...before,
    order: { ...before.order, authority, hlc: effective },
    stamp: { hub, hlc },
  };
  target.replaceWrite(key, before, write);
  if (compareOrders(before.order, write.order) === 0) return false;
  refold(target, key);
  return true;
}

function writeIn(stamped: StampedOp): RecordWrite {
  const { op, stamp } = stamped;
  const { hub, hlc } = stamp;
  return { order: writeOrder(stamped), kind: op.kind, body: op.body, stamp: { hub, hlc } };
}
