/**
 * Draws a horizon through a record that has too many ops: what its older ops come to, so that only the newest are kept one
 * by one (MERGE.md §10). Who draws decides where; what it comes to is decided by the rules alone. Done in small steps,
 * because a record may have ten thousand ops, and whoever draws has others to serve.
 */
import type { Steps } from '../../base/steps.ts';
import { ADD, REMOVE, UNDO } from '../../model/op.ts';
import { type Lane, laneOf } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import { conflictsIn, knownTo } from '../conflicts.ts';
import { type OpId, textOfOpId } from '../op-id.ts';
import { compareTimes, prevails, type WriteOrder } from '../order.ts';
import { readAdd } from '../patch.ts';
import { NO_COUNTER, plus, type RecordWrite } from '../record.ts';
import { readRegisterWrites } from '../register-writes.ts';
import { type Base, type BaseCounter, type BaseField, encodeHorizon, isBelow } from './horizon.ts';
import { forFields, type RecordOps } from './record-ops.ts';
import { baseOf } from './standing.ts';
import { isUndone } from './undone.ts';

interface Drawing {
  /** The ops that are kept; of those that come meanwhile, none may be an undo. */
  readonly ops: RecordOps;
  /** The fields that stand, the asset's among them, and above which tombstone. */
  readonly fields: readonly string[];
  readonly tombstone: WriteOrder | undefined;
  /** How far a lane was known without a gap when the drawing began. */
  readonly upTo: (lane: Lane) => number;
  /** So many of the newest ops stay as they are. */
  readonly keep: number;
}

/** A horizon is an op, and goes everywhere: beyond this it has to spare some ops for its bytes. */
const BODY_BYTES_FREE = 128 << 10;
const BYTES_PER_OP = 256;
/** No larger op goes from hub to hub. */
const BODY_BYTES_MAX = 1_000_000;
/** Conflicts that nobody resolves hold their ops, but not for ever. */
const HELD_FACTOR = 2;
/** Ops that are read in one step. */
const STEP_OPS = 64;

/** Body of the horizon, or undefined where none would spare anything. */
export function* drawHorizon(drawing: Drawing): Steps<Uint8Array | undefined> {
  const { upTo, keep } = drawing;
  const ops = forFields(drawing.ops, drawing.fields.length);
  const orders: WriteOrder[] = [];
  for (const page of ops.orders()) {
    orders.push(...page);
    yield;
  }
  if (orders.length <= keep) return undefined;
  const newestFirst = orders.toSorted((a, b) => compareTimes(b, a));
  yield;
  const stay: OpId[] = newestFirst.slice(0, keep);
  if (orders.length <= HELD_FACTOR * keep) stay.push(...(yield* sidesOf({ ...drawing, ops })));
  const before = baseOf(ops);
  const older = newestFirst.slice(keep);
  const vector = vectorOf(before, older, stay);
  for (const [lane, seq] of vector) {
    vector.set(lane, Math.max(seqIn(before.vector, lane), Math.min(seq, upTo(lane))));
  }
  yield;
  const covered = older.filter((order) => isBelow({ vector }, order));
  if (covered.length === 0) return undefined;
  const base = baseAbove(before, yield* effectiveOf(ops, covered));
  const fields = yield* withKnowledge(base.fields, { ...drawing, ops }, vector);
  const body = encodeHorizon({ ...base, fields, vector });
  const worth = Math.max(BODY_BYTES_FREE, BYTES_PER_OP * covered.length);
  return body.length > Math.min(worth, BODY_BYTES_MAX) ? undefined : body;
}

/** Both sides of each conflict that is open. */
function* sidesOf({ ops, fields, tombstone }: Drawing): Steps<OpId[]> {
  const sides: OpId[] = [];
  for (const field of fields) {
    for (const { winner, loser } of conflictsIn(ops, field, tombstone)) sides.push(winner, loser);
    yield;
  }
  return sides;
}

/** Those that are not undone. */
function* effectiveOf(ops: RecordOps, orders: readonly WriteOrder[]): Steps<RecordWrite[]> {
  const effective: RecordWrite[] = [];
  for (const [place, order] of orders.entries()) {
    if (place % STEP_OPS === STEP_OPS - 1) yield;
    const write = ops.writeOf(order);
    if (write !== undefined && !isUndone(ops, order)) effective.push(write);
  }
  return effective;
}

/** In each lane up to the last of the older ops, but before the first of those that stay. */
function vectorOf(
  before: Base,
  older: readonly WriteOrder[],
  stay: readonly OpId[],
): Map<Lane, number> {
  const vector = new Map(before.vector);
  for (const { origin, class: opClass, seq } of older) {
    const lane = laneOf(origin, opClass);
    vector.set(lane, Math.max(seq, seqIn(vector, lane)));
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
function* withKnowledge(
  fields: ReadonlyMap<string, BaseField>,
  { ops, tombstone }: Drawing,
  vector: VersionVector,
): Steps<Map<string, BaseField>> {
  const known = new Map<string, BaseField>();
  for (const [field, { order, value, seen: told }] of fields) {
    if (told === undefined) {
      known.set(field, { order, value, seen: undefined });
      continue;
    }
    const ids = [...told, ...knownTo(ops, field, tombstone, order)];
    const staying = ids.filter((id) => !isBelow({ vector }, id));
    const byName = new Map(staying.map((id) => [textOfOpId(id), id]));
    known.set(field, { order, value, seen: [...byName.values()] });
    yield;
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
