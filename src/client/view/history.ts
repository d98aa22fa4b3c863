/** How a record came to be what it is, and what is in conflict in it, with the values that people compare. */
import { qualityBy } from '../../base/clock.ts';
import { ASSET_FIELD } from '../../merge/asset/asset-version.ts';
import type { Dispute } from '../../merge/conflicts.ts';
import { textOfOpId } from '../../merge/op-id.ts';
import { compareTimes, type WriteOrder } from '../../merge/order.ts';
import { readAdd, readPatch, readUndo } from '../../merge/patch.ts';
import type { RecordWrite } from '../../merge/record.ts';
import { joinHorizons, readHorizon } from '../../merge/record/horizon.ts';
import { undoneOps } from '../../merge/record/undone.ts';
import { ADD, CONTROL, KIND_NAMES, type KindName, PATCH, UNDO } from '../../model/op.ts';
import type { Origin } from '../../model/origin.ts';
import { decodeValue, type Value } from './values.ts';

export interface HistoryEntry {
  readonly id: string;
  readonly kind: KindName;
  /** By the clock of whoever made it; undefined where that was not set. */
  readonly atMs: number | undefined;
  readonly isOwn: boolean;
  readonly isUndone: boolean;
  /** What was set or added; of a horizon (kind `control`): what older ops came to. */
  readonly fields: Readonly<Record<string, Value>>;
  /** Ops that an undo names. */
  readonly undoes: readonly string[];
}

export interface ConflictSide {
  readonly id: string;
  readonly origin: Origin;
  readonly atMs: number | undefined;
  readonly value: Value;
}

export interface SeenConflict {
  readonly key: string;
  readonly field: string;
  readonly kind: Dispute['kind'];
  readonly winner: ConflictSide;
  readonly loser: ConflictSide;
}

/** When it was made; undefined where its maker had not got to know the time. */
export function madeAtMs({ hlc: { ms } }: WriteOrder): number | undefined {
  return qualityBy(ms) === 'unknown' ? undefined : ms;
}

export function historyOf(writes: readonly RecordWrite[], own: Origin): HistoryEntry[] {
  const undone = undoneOps(writes);
  return writes
    .toSorted((a, b) => compareTimes(b.order, a.order))
    .map(({ order, kind, body }) => ({
      id: textOfOpId(order),
      kind: KIND_NAMES[kind],
      atMs: madeAtMs(order),
      isOwn: order.origin === own,
      isUndone: undone.has(textOfOpId(order)),
      fields: fieldsOf({ kind, body }),
      undoes: kind === UNDO ? (readUndo(body) ?? []).map((id) => textOfOpId(id)) : [],
    }));
}

export function seenConflicts(
  key: string,
  conflicts: readonly Dispute[],
  writes: readonly RecordWrite[],
): SeenConflict[] {
  const base = joinHorizons(writes.filter(({ kind }) => kind === CONTROL));
  const writeByName = new Map(writes.map((write) => [textOfOpId(write.order), write]));
  const sideOf = (order: WriteOrder, field: string): ConflictSide => {
    const id = textOfOpId(order);
    const write = writeByName.get(id);
    const folded = base.fields.get(field)?.value;
    const value = write === undefined ? folded && decodeValue(folded) : fieldsOf(write)[field];
    return { id, origin: order.origin, atMs: madeAtMs(order), value: value ?? null };
  };
  return conflicts.map(({ field, kind, winner, loser }) => ({
    key,
    field,
    kind,
    winner: sideOf(winner, field),
    loser: sideOf(loser, field),
  }));
}

function fieldsOf({ kind, body }: Pick<RecordWrite, 'kind' | 'body'>): Record<string, Value> {
  if (kind === PATCH) {
    const fields = [...(readPatch(body)?.fields ?? [])];
    return Object.fromEntries(fields.map(([name, value]) => [name, decodeValue(value)]));
  }
  if (kind === CONTROL) {
    const folded = [...(readHorizon(body)?.fields ?? [])].filter(([name]) => name !== ASSET_FIELD);
    return Object.fromEntries(folded.map(([name, { value }]) => [name, decodeValue(value)]));
  }
  if (kind !== ADD) return {};
  const deltas = [...(readAdd(body) ?? [])];
  return Object.fromEntries(deltas.map(([name, delta]) => [name, Number(delta)]));
}
