/**
 * What stands in a record after an op has come or gone, from as few of its other ops as it takes. In each case the outcome
 * is that of `foldRecord` over all of them.
 */
import { ADD, CONTROL, REMOVE, UNDO } from '../../model/op.ts';
import type { FoldTarget } from '../fold-target.ts';
import { compareOrders, prevails, type WriteOrder } from '../order.ts';
import { readAdd } from '../patch.ts';
import type { FieldWrite, RecordWrite } from '../record.ts';
import { readRegisterWrites } from '../register-writes.ts';
import { foldAbove } from './fold-record.ts';
import { type Base, isBelow, joinHorizons, overtaken, readHorizon } from './horizon.ts';
import { forFields, type RecordOps } from './record-ops.ts';
import { type Flip, isUndone } from './undone.ts';

/** Fields in which what counts has changed. */
export type Touched = ReadonlySet<string> | 'all';

export const UNTOUCHED: Touched = new Set();

/** What stands for the ops that are not kept any more. */
export function baseOf(ops: RecordOps): Base {
  return joinHorizons(ops.horizons());
}

/**
 * Keeps an op on a record; false where it was kept before, or lies below a horizon. A horizon takes what it stands for
 * with it.
 */
export function keepWrite(target: FoldTarget, key: string, write: RecordWrite): boolean {
  const { order, kind, stamp } = write;
  if (kind === CONTROL) {
    // Only a hub speaks for others, and only in its own name.
    if (stamp?.hub !== order.origin || readHorizon(write.body) === undefined) return false;
  } else if (isBelow(baseOf(target.opsOf(key)), order)) return false;
  if (!target.addWrite(key, write)) return false;
  if (kind !== CONTROL) return true;
  const horizons = target.opsOf(key).horizons();
  const gone = overtaken(horizons);
  target.dropWrites(key, joinHorizons(horizons).vector, gone);
  return !gone.some((one) => compareOrders(one.order, order) === 0);
}

/** Folds the record from what exceeds its tombstone: nothing else lives. */
export function refold(target: FoldTarget, key: string): void {
  const ops = target.opsOf(key);
  const base = baseOf(ops);
  let { tombstone } = base;
  for (const { order } of ops.removes()) {
    if (!prevails(order, tombstone)) break;
    if (isUndone(ops, order)) continue;
    tombstone = order;
    break;
  }
  const effective: RecordWrite[] = [];
  for (const write of ops.writesAbove(tombstone)) {
    if (!isUndone(ops, write.order)) effective.push(write);
  }
  target.putRecord(key, { tombstone, ...foldAbove(base, tombstone, effective) });
}

/** Brings what stands into line with what an undo has taken away or brought back. */
export function applyFlips(target: FoldTarget, key: string, flips: readonly Flip[]): Touched {
  if (flips.length === 0) return UNTOUCHED;
  if (flips.some(({ write }) => write.kind === REMOVE)) {
    refold(target, key);
    return 'all';
  }
  const touched = new Set<string>();
  const tombstone = target.tombstone(key);
  const ops = forFields(target.opsOf(key), fieldsGone(flips));
  for (const { write, isUndone: isGone } of flips) {
    const { order, kind, body } = write;
    if (kind === UNDO || !prevails(order, tombstone)) continue;
    if (kind === ADD) {
      const sign = isGone ? -1 : 1;
      for (const [field, delta] of readAdd(body) ?? []) {
        target.addToCounter(key, field, BigInt(sign) * delta, sign);
      }
      continue;
    }
    for (const [field, value] of readRegisterWrites(kind, body)?.fields ?? []) {
      touched.add(field);
      const standing = target.fieldOrder(key, field);
      if (!isGone) {
        if (prevails(order, standing)) target.putField(key, field, { order, value });
      } else if (standing !== undefined && compareOrders(standing, order) === 0) {
        const next = nextBelow(ops, field, order, tombstone);
        if (next === undefined) target.dropField(key, field);
        else target.putField(key, field, next);
      }
    }
  }
  return touched;
}

/** How many fields have lost a write. */
function fieldsGone(flips: readonly Flip[]): number {
  const gone = flips.filter(({ isUndone: isGone }) => isGone);
  return gone.reduce((sum, { write: { kind, body } }) => {
    return sum + (readRegisterWrites(kind, body)?.fields.size ?? 0);
  }, 0);
}

/** The greatest write of a field that counts, among those below `below`. */
function nextBelow(
  ops: RecordOps,
  field: string,
  below: WriteOrder,
  tombstone: WriteOrder | undefined,
): FieldWrite | undefined {
  const base = baseOf(ops).fields.get(field);
  for (const { order, kind, body } of ops.registerWrites(field, below, tombstone)) {
    if (!prevails(order, tombstone) || !prevails(order, base?.order)) break;
    const value = readRegisterWrites(kind, body)?.fields.get(field);
    if (value !== undefined && !isUndone(ops, order)) return { order, value };
  }
  if (base === undefined || !prevails(base.order, tombstone)) return undefined;
  return { order: base.order, value: base.value };
}
