/**
 * Draws a horizon through a record that has too many ops: what its older ops come to, so that only the newest are kept one
 * by one (MERGE.md §10). Who draws decides where; what it comes to is decided by the rules alone.
 */
import { ADD, CONTROL, REMOVE, UNDO } from '../../model/op.ts';
import { type Lane, laneOf } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import { conflictsOf, knownTo } from '../conflicts.ts';
import { type OpId, textOfOpId } from '../op-id.ts';
import { compareTimes, prevails, type WriteOrder } from '../order.ts';
import { readAdd } from '../patch.ts';
import { NO_COUNTER, plus, type RecordWrite } from '../record.ts';
import { readRegisterWrites } from '../register-writes.ts';
import { foldRecord, keptOf } from './fold-record.ts';
import {
  type Base,
  type BaseCounter,
  type BaseField,
  encodeHorizon,
  isCovered,
  joinHorizons,
} from './horizon.ts';
import { ListedOps } from './record-ops.ts';
import { undoneOps } from './undone.ts';

export interface Drawing {
  /** All ops on the record that are kept. */
  readonly writes: readonly RecordWrite[];
  /** How far a lane is known without a gap. */
  readonly upTo: (lane: Lane) => number;
  /** So many of the newest ops stay as they are. */
  readonly keep: number;
}

/** A horizon is an op, and goes everywhere: beyond this it would cost more than it spares. */
const BODY_BYTES_MAX = 128 << 10;
/** Conflicts that nobody resolves hold their ops, but not for ever. */
const HELD_FACTOR = 2;

/** Body of the horizon, or undefined where none would spare anything. */
export function drawHorizon({ writes, upTo, keep }: Drawing): Uint8Array | undefined {
  const kept = keptOf(writes);
  const ops = kept
    .filter(({ kind }) => kind !== CONTROL)
    .toSorted((a, b) => compareTimes(b.order, a.order));
  const older = ops.slice(keep);
  if (older.length === 0) return undefined;
  const before = joinHorizons(kept.filter(({ kind }) => kind === CONTROL));
  const held = ops.length > HELD_FACTOR * keep ? [] : sidesOf(kept);
  const vector = vectorOf(before, older, [
    ...ops.slice(0, keep).map(({ order }) => order),
    ...held,
  ]);
  for (const [lane, seq] of vector) {
    vector.set(lane, Math.max(seqIn(before.vector, lane), Math.min(seq, upTo(lane))));
  }
  const covered = older.filter((write) => isCovered(vector, write));
  if (covered.length === 0) return undefined;
  const undone = undoneOps(kept);
  const effective = covered.filter(({ order }) => !undone.has(textOfOpId(order)));
  const base = baseAbove(before, effective);
  const fields = withKnowledge(base.fields, kept, vector);
  const body = encodeHorizon({ ...base, fields, vector });
  return body.length > BODY_BYTES_MAX ? undefined : body;
}

/** Both sides of each conflict that is open. */
function sidesOf(writes: readonly RecordWrite[]): OpId[] {
  return conflictsOf(writes).flatMap(({ winner, loser }) => [winner, loser]);
}

/** In each lane up to the last of the older ops, but before the first of those that stay. */
function vectorOf(
  before: Base,
  older: readonly RecordWrite[],
  stay: readonly OpId[],
): Map<Lane, number> {
  const vector = new Map(before.vector);
  for (const { order } of older) {
    const lane = laneOf(order.origin, order.class);
    vector.set(lane, Math.max(order.seq, seqIn(vector, lane)));
  }
  for (const { origin, class: opClass, seq } of stay) {
    const lane = laneOf(origin, opClass);
    if (vector.has(lane)) vector.set(lane, Math.min(seqIn(vector, lane), seq - 1));
  }
  return vector;
}

/** What the horizons before and the ops that count come to. */
function baseAbove(before: Base, effective: readonly RecordWrite[]): Omit<Base, 'vector'> {
  let { tombstone } = before;
  for (const { order, kind } of effective) {
    if (kind === REMOVE && prevails(order, tombstone)) tombstone = order;
  }
  const fields = new Map<string, BaseField>();
  const counters = new Map<string, Map<Lane, BaseCounter>>();
  for (const [field, write] of before.fields) {
    if (prevails(write.order, tombstone)) fields.set(field, write);
  }
  for (const [field, byLane] of before.counters) {
    for (const [lane, sum] of byLane) {
      if (prevails(sum.order, tombstone)) addTo(counters, field, lane, sum);
    }
  }
  for (const { order, kind, body } of effective) {
    if (!prevails(order, tombstone)) continue;
    if (kind === ADD) {
      const lane = laneOf(order.origin, order.class);
      for (const [field, total] of readAdd(body) ?? []) {
        addTo(counters, field, lane, { total, adds: 1, order });
      }
    } else if (kind !== UNDO) {
      const written = readRegisterWrites(kind, body);
      for (const [field, value] of written?.fields ?? []) {
        if (!prevails(order, fields.get(field)?.order)) continue;
        fields.set(field, { order, value, seen: written?.seen.get(field) });
      }
    }
  }
  return { tombstone, fields, counters };
}

/** Each field with what its writer knew, directly or through others, of what stays. */
function withKnowledge(
  fields: ReadonlyMap<string, BaseField>,
  kept: readonly RecordWrite[],
  vector: VersionVector,
): Map<string, BaseField> {
  const ops = new ListedOps(kept);
  const { tombstone } = foldRecord(kept);
  const stays = ({ origin, class: opClass, seq }: OpId): boolean =>
    seq > seqIn(vector, laneOf(origin, opClass));
  const known = new Map<string, BaseField>();
  for (const [field, { order, value, seen: told }] of fields) {
    if (told === undefined) {
      known.set(field, { order, value, seen: undefined });
      continue;
    }
    const ids = [...told, ...knownTo(ops, field, tombstone, order)].filter(stays);
    const byName = new Map(ids.map((id) => [textOfOpId(id), id]));
    known.set(field, { order, value, seen: [...byName.values()] });
  }
  return known;
}

function addTo(
  counters: Map<string, Map<Lane, BaseCounter>>,
  field: string,
  lane: Lane,
  { total, adds, order }: BaseCounter,
): void {
  const byLane = counters.get(field) ?? new Map<Lane, BaseCounter>();
  counters.set(field, byLane);
  const before: BaseCounter | undefined = byLane.get(lane);
  const greatest: WriteOrder = prevails(order, before?.order)
    ? order
    : (before as BaseCounter).order;
  byLane.set(lane, { ...plus(before ?? NO_COUNTER, total, adds), order: greatest });
}
