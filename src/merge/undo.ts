/**
 * Whether an op may be taken back, and what has to be named for it (MERGE.md §6). Deciding belongs to whoever makes the
 * undo; once made, it counts everywhere alike, whatever arrived in the meantime.
 */
import { type OpId, textOfOpId } from './op-id.ts';
import { UNDO_TARGETS_MAX } from './patch.ts';
import { readRegisterWrites } from './register-writes.ts';
import { isSameOp, type RecordWrite, undoneOps } from './record.ts';

export type UndoPlan =
  | { readonly kind: 'ready'; readonly targets: readonly OpId[] }
  | { readonly kind: 'refused'; readonly reason: string };

export interface UndoRequest {
  readonly target: OpId;
  /** Rank of whoever asks. */
  readonly authority: number;
  /** Whether what builds on it goes too. */
  readonly cascade: boolean;
}

/** Plans the undo of one op among the writes of its record. */
export function planUndo(writes: readonly RecordWrite[], request: UndoRequest): UndoPlan {
  const { target, authority, cascade } = request;
  const write = writes.find(({ order }) => isSameOp(order, target));
  if (write === undefined) return refused('this record has no such op');
  const undone = undoneOps(writes);
  if (undone.has(textOfOpId(target))) return refused('it is undone already; undo the undo instead');
  const dependents = dependentsOf(write, writes, undone);
  if (dependents.length > 0 && !cascade) {
    const names = dependents.map(({ order }) => textOfOpId(order)).join(', ');
    return refused(`later work builds on it: ${names}; cascade takes that back too`);
  }
  const all = [write, ...dependents];
  if (all.length > UNDO_TARGETS_MAX) {
    return refused(`more than ${UNDO_TARGETS_MAX} ops build on it`);
  }
  const higher = all.find(({ order }) => order.authority > authority);
  if (higher !== undefined) {
    return refused(`${textOfOpId(higher.order)} was made by somebody of a higher role`);
  }
  return { kind: 'ready', targets: all.map(({ order }) => idOf(order)) };
}

/** The patches and versions that were made with `write`, or with one of them, before their writer's eyes. */
function dependentsOf(
  write: RecordWrite,
  writes: readonly RecordWrite[],
  undone: ReadonlySet<string>,
): RecordWrite[] {
  if (readRegisterWrites(write.kind, write.body) === undefined) return [];
  const candidates = writes
    .filter(({ order }) => !undone.has(textOfOpId(order)))
    .map((candidate) => ({ candidate, seen: seenBy(candidate) }));
  const found = new Map<string, RecordWrite>();
  const open = [textOfOpId(write.order)];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const { candidate, seen } of candidates) {
      const own = textOfOpId(candidate.order);
      if (!seen.has(name) || found.has(own)) continue;
      found.set(own, candidate);
      open.push(own);
    }
  }
  return [...found.values()];
}

function seenBy({ kind, body }: RecordWrite): Set<string> {
  const seen = readRegisterWrites(kind, body)?.seen.values() ?? [];
  return new Set([...seen].flatMap((ids) => ids.map((id) => textOfOpId(id))));
}

function idOf({ origin, class: opClass, seq }: OpId): OpId {
  return { origin, class: opClass, seq };
}

function refused(reason: string): UndoPlan {
  return { kind: 'refused', reason };
}
