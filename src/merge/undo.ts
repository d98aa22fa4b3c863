/**
 * Whether an op may be taken back, and what has to be named for it (MERGE.md §6). Deciding belongs to whoever makes the
 * undo; once made, it counts everywhere alike, whatever arrived in the meantime.
 */
import { UNDO } from '../model/op.ts';
import { isSameOp, type OpId, opIdOf, textOfOpId } from './op-id.ts';
import { readUndo, UNDO_TARGETS_MAX } from './patch.ts';
import type { RecordWrite } from './record.ts';
import { type Base, isBelow } from './record/horizon.ts';
import { ListedOps, type RecordOps, seenIn } from './record/record-ops.ts';
import { baseOf } from './record/standing.ts';
import { isUndone, mayUndo } from './record/undone.ts';
import { readRegisterWrites } from './register-writes.ts';

export type UndoPlan =
  | { readonly kind: 'ready'; readonly targets: readonly OpId[] }
  | {
      readonly kind: 'refused';
      readonly reason: string;
      /** Later work builds on it, and would have to go, too. */
      readonly isBuiltOn?: true;
    };

export interface UndoRequest {
  readonly target: OpId;
  /** Rank of whoever asks. */
  readonly authority: number;
  /** Whether what builds on it goes too. */
  readonly cascade: boolean;
  /** Whether an op of this name has come here, of whatever kind. */
  readonly hasCome?: boolean;
}

const BELOW_HORIZON =
  'it lies before the horizon of its record, where single ops are no longer kept; write what shall stand instead';

const NEVER_CAME = 'no op of this name has come here: it was never made, or has not arrived yet';
const NOT_ONE_BY_ONE =
  'no such op of a record is kept here one by one: events are facts and cannot be undone, a step in a document is taken back by the ' +
  'inverse step, which the device makes, and of what lies before the horizon of its record only the outcome is kept: ' +
  'write what shall stand instead';

/** What is said of an op that no record has here. */
export function notKept(hasCome: boolean): UndoPlan {
  return refused(hasCome ? NOT_ONE_BY_ONE : NEVER_CAME);
}

/** Plans the undo of one op of a record. */
export function planUndo(ops: RecordOps, request: UndoRequest): UndoPlan {
  const { target, authority, cascade, hasCome = false } = request;
  const base = baseOf(ops);
  if (isBelow(base, target)) return refused(BELOW_HORIZON);
  const write = ops.writeOf(target);
  if (write === undefined) return notKept(hasCome);
  if (isUndone(ops, target)) {
    const names = undosThatCount(ops, write).join(', ');
    return refused(`it is undone already, by ${names}; to have it back, undo that`);
  }
  if (reachesBelow(write, base)) return refused(`what it took back: ${BELOW_HORIZON}`);
  if (!cascade) {
    const builders = namersOf(ops, write);
    if (builders.length > 0) {
      const names = builders.map(({ order }) => textOfOpId(order)).join(', ');
      const reason = `later work builds on it: ${names}; cascade takes that back too`;
      return { kind: 'refused', reason, isBuiltOn: true };
    }
  }
  const all = cascade ? [write, ...dependentsOf(ops, write)] : [write];
  if (all.length > UNDO_TARGETS_MAX) {
    return refused(`more than ${UNDO_TARGETS_MAX} ops build on it`);
  }
  const higher = all.find(({ order }) => order.authority > authority);
  if (higher !== undefined) {
    return refused(`${textOfOpId(higher.order)} was made by somebody of a higher role`);
  }
  return { kind: 'ready', targets: all.map(({ order }) => opIdOf(order)) };
}

/** Names of the undos that keep the op from counting. */
function undosThatCount(ops: RecordOps, { order }: RecordWrite): string[] {
  const undos = ops.undosOf(order).filter((id) => {
    const undo = ops.writeOf(id);
    return undo !== undefined && mayUndo(undo.order, order) && !isUndone(ops, id);
  });
  return undos.map((id) => textOfOpId(id));
}

/** Whether it is an undo of what lies below a horizon: taking it back would bring nothing back. */
function reachesBelow({ kind, body }: RecordWrite, base: Base): boolean {
  return kind === UNDO && (readUndo(body) ?? []).some((id) => isBelow(base, id));
}

/** The patches and versions that were made with `write`, or with one of them, before their writer's eyes. */
function dependentsOf(ops: RecordOps, write: RecordWrite): RecordWrite[] {
  const found = new Map<string, RecordWrite>();
  let builders = namersOf(ops, write);
  if (builders.length === 0) return [];
  // Each question costs a look at the whole record; here there may be hundreds.
  const listed = new ListedOps([...ops.writesAbove(undefined)]);
  const open: RecordWrite[] = [];
  for (;;) {
    for (const builder of builders) {
      const name = textOfOpId(builder.order);
      if (found.has(name)) continue;
      found.set(name, builder);
      open.push(builder);
    }
    const next = open.pop();
    if (next === undefined || found.size > UNDO_TARGETS_MAX) return [...found.values()];
    builders = namersOf(listed, next);
  }
}

/** Those that count, are later, and told of `write` as seen. */
function namersOf(ops: RecordOps, { order, kind, body }: RecordWrite): RecordWrite[] {
  if (readRegisterWrites(kind, body) === undefined) return [];
  return [...ops.namersOf(order)].filter(
    (namer) => seenIn(namer).some((id) => isSameOp(id, order)) && !isUndone(ops, namer.order),
  );
}

function refused(reason: string): UndoPlan {
  return { kind: 'refused', reason };
}
