/**
 * A record as a function of the set of its ops (MERGE.md §3 and §10): which of them count, and what they come to. This is
 * the definition; standing.ts takes short cuts that end at the same place.
 */
import { ADD, CONTROL, REMOVE, UNDO } from '../../model/op.ts';
import { textOfOpId } from '../op-id.ts';
import { prevails, type WriteOrder } from '../order.ts';
import { readAdd } from '../patch.ts';
import {
  type Counter,
  type FieldWrite,
  NO_COUNTER,
  plus,
  type RecordState,
  type RecordWrite,
} from '../record.ts';
import { readRegisterWrites } from '../register-writes.ts';
import { type Base, isBelow, joinHorizons, overtaken } from './horizon.ts';
import { undoneOps } from './undone.ts';

/** What the ops of a record come to. */
export function foldRecord(writes: readonly RecordWrite[]): RecordState {
  const kept = keptOf(writes);
  const base = joinHorizons(horizonsIn(kept));
  const undone = undoneOps(kept);
  const effective = kept.filter(({ order }) => !undone.has(textOfOpId(order)));
  let { tombstone } = base;
  for (const { order, kind } of effective) {
    if (kind === REMOVE && prevails(order, tombstone)) tombstone = order;
  }
  const { fields, counters } = foldAbove(base, tombstone, effective);
  return { tombstone, fields, counters };
}

/** The ops without those below a horizon. */
export function keptOf(writes: readonly RecordWrite[]): readonly RecordWrite[] {
  const horizons = horizonsIn(writes);
  if (horizons.length === 0) return writes;
  const base = joinHorizons(horizons);
  const gone = new Set(overtaken(horizons));
  return writes.filter((write) =>
    write.kind === CONTROL ? !gone.has(write) : !isBelow(base, write.order),
  );
}

/** Fields and counters of what stands above the tombstone; of the ops, those that are undone are left out already. */
export function foldAbove(
  base: Base,
  tombstone: WriteOrder | undefined,
  effective: Iterable<RecordWrite>,
): Omit<RecordState, 'tombstone'> {
  const fields = new Map<string, FieldWrite>();
  const counters = new Map<string, Counter>();
  for (const [field, { order, value }] of base.fields) {
    if (prevails(order, tombstone)) fields.set(field, { order, value });
  }
  for (const [field, sums] of base.counters) {
    for (const { total, adds, order } of sums.values()) {
      if (!prevails(order, tombstone)) continue;
      counters.set(field, plus(counters.get(field) ?? NO_COUNTER, total, adds));
    }
  }
  for (const { order, kind, body } of effective) {
    if (!prevails(order, tombstone)) continue;
    if (kind === ADD) {
      for (const [field, delta] of readAdd(body) ?? []) {
        counters.set(field, plus(counters.get(field) ?? NO_COUNTER, delta));
      }
    } else if (kind !== UNDO) {
      for (const [field, value] of readRegisterWrites(kind, body)?.fields ?? []) {
        if (prevails(order, fields.get(field)?.order)) fields.set(field, { order, value });
      }
    }
  }
  return { fields, counters };
}

function horizonsIn(writes: readonly RecordWrite[]): RecordWrite[] {
  return writes.filter(({ kind }) => kind === CONTROL);
}
