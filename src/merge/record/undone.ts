/**
 * Who is undone (MERGE.md §3). `undoneOps` is the definition over all ops of a record. The others give the same answer from
 * the few ops that have a part in it: whoever names the op, whoever names those, and so on. In a record with ten thousand
 * ops that is mostly nobody.
 */
import { UNDO } from '../../model/op.ts';
import { type OpId, textOfOpId } from '../op-id.ts';
import { compareTimes, type WriteOrder } from '../order.ts';
import { readUndo } from '../patch.ts';
import type { RecordWrite } from '../record.ts';
import type { RecordOps } from './record-ops.ts';

/** An op that the coming of an undo has taken away, or brought back. */
export interface Flip {
  readonly write: RecordWrite;
  readonly isUndone: boolean;
}

/**
 * Names of the ops that are undone. An undo reaches what is earlier than itself and bears no higher authority; from
 * the latest to the earliest, each is known to count or not before what it names is met.
 */
export function undoneOps(writes: Iterable<RecordWrite>): Set<string> {
  const undone = new Set<string>();
  const byName = new Map<string, RecordWrite>();
  const undos: RecordWrite[] = [];
  for (const write of writes) {
    byName.set(textOfOpId(write.order), write);
    if (write.kind === UNDO) undos.push(write);
  }
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

/** Whether the op, which is kept, is undone. */
export function isUndone(ops: RecordOps, op: OpId): boolean {
  if (ops.undosOf(op).length === 0) return false;
  const write = ops.writeOf(op);
  return write !== undefined && undoneOps(withUndos(ops, [write]).values()).has(textOfOpId(op));
}

/** What has changed now that `undo` is kept, which was not before. */
export function flipsOf(ops: RecordOps, undo: RecordWrite): Flip[] {
  const reached: RecordWrite[] = [];
  const met = new Set<string>();
  const open = [...(readUndo(undo.body) ?? [])];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const name = textOfOpId(id);
    const write = met.has(name) ? undefined : ops.writeOf(id);
    met.add(name);
    if (write === undefined) continue;
    reached.push(write);
    if (write.kind === UNDO) open.push(...(readUndo(write.body) ?? []));
  }
  const part = withUndos(ops, [undo, ...reached]);
  const after = undoneOps(part.values());
  const own = textOfOpId(undo.order);
  const before = undoneOps([...part.values()].filter(({ order }) => textOfOpId(order) !== own));
  return reached.flatMap((write) => {
    const name = textOfOpId(write.order);
    const isNow = after.has(name);
    return isNow === before.has(name) ? [] : [{ write, isUndone: isNow }];
  });
}

/** The ops, the undos that name them, the undos that name those …, by their names. */
function withUndos(ops: RecordOps, writes: readonly RecordWrite[]): Map<string, RecordWrite> {
  const part = new Map(writes.map((write) => [textOfOpId(write.order), write]));
  const open = writes.flatMap(({ order }) => ops.undosOf(order));
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const name = textOfOpId(id);
    const write = part.has(name) ? undefined : ops.writeOf(id);
    if (write === undefined) continue;
    part.set(name, write);
    open.push(...ops.undosOf(id));
  }
  return part;
}
