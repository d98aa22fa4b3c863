/**
 * Horizons (MERGE.md §10): an op of a hub that says what the older ops of a record came to, so that nobody has to keep them.
 * It names the ops by a vector. Whoever holds it leaves them out, those that come later too, and counts what it says in
 * their place. It never has to be agreed on: two horizons that do not know each other join, field by field, as writes do.
 * Bytes: WIRE.cddl `horizon-body`.
 */
import { CborError, CborReader } from '../../codec/reader.ts';
import type { CborLimits } from '../../codec/value.ts';
import { CborWriter } from '../../codec/writer.ts';
import { isOpClass } from '../../model/class.ts';
import { CONTROL } from '../../model/op.ts';
import { bytesOfOrigin, type Lane, laneOf, originOfBytes, splitLane } from '../../model/origin.ts';
import { covers, joinVectors, seqIn, type VersionVector } from '../../model/version-vector.ts';
import { readHeads, writeHeads } from '../doc/doc-state.ts';
import { type OpId, readOpId, writeOpId } from '../op-id.ts';
import { compareOrders, encodeOrder, prevails, readOrder, type WriteOrder } from '../order.ts';
import {
  bytesOfTotal,
  type Counter,
  type FieldWrite,
  type RecordWrite,
  totalOfBytes,
} from '../record.ts';

export interface BaseField extends FieldWrite {
  /** What its writer knew of what is not below; undefined where it told nothing. */
  readonly seen: readonly OpId[] | undefined;
}

/** What increments of one lane come to, with the order of the greatest of them. */
export interface BaseCounter extends Counter {
  readonly order: WriteOrder;
}

/** What stands for the ops below a horizon. */
export interface Base {
  /** The ops that it stands for, as far as they are on this record. */
  readonly vector: VersionVector;
  readonly tombstone: WriteOrder | undefined;
  readonly fields: ReadonlyMap<string, BaseField>;
  readonly counters: ReadonlyMap<string, ReadonlyMap<Lane, BaseCounter>>;
}

export const NO_BASE: Base = {
  vector: new Map(),
  tombstone: undefined,
  fields: new Map(),
  counters: new Map(),
};

/** Every op that comes to a record asks for what its horizons come to. */
const joinedBases = new WeakMap<readonly RecordWrite[], Base>();
/** A horizon is looked at when it comes, when it is weighed against others, and whenever its record is folded. */
const readBases = new WeakMap<Uint8Array, Base>();
const HORIZON = 0;
const LIMITS: CborLimits = { depthMax: 8, itemsMax: 1_000_000 };

export function encodeHorizon({ vector, tombstone, fields, counters }: Base): Uint8Array {
  const writer = new CborWriter(1024).array(5).uint(HORIZON);
  writeHeads(writer, vector);
  if (tombstone === undefined) writer.null();
  else writer.bytes(encodeOrder(tombstone));
  writer.array(4 * fields.size);
  for (const [field, { order, seen, value }] of fields) {
    writer.text(field).bytes(encodeOrder(order));
    if (seen === undefined) writer.null();
    else writer.array(seen.length);
    for (const id of seen ?? []) writeOpId(writer, id);
    writer.raw(value);
  }
  const sums = [...counters].flatMap(([field, byLane]) =>
    [...byLane].map(([lane, sum]) => ({ field, lane, ...sum })),
  );
  writer.array(6 * sums.length);
  for (const { field, lane, total, adds, order } of sums) {
    const { origin, class: opClass } = splitLane(lane);
    writer.text(field).bytes(bytesOfOrigin(origin)).uint(opClass);
    writer.bytes(bytesOfTotal(total)).uint(adds).bytes(encodeOrder(order));
  }
  return writer.finish();
}

/** What the horizon says, aliasing `body`, which must not change from now on; or undefined where it is none. */
export function readHorizon(body: Uint8Array): Base | undefined {
  const known = readBases.get(body);
  if (known !== undefined) return known;
  try {
    const reader = new CborReader(body, 0, LIMITS);
    const base = readBase(reader);
    if (!reader.atEnd) return undefined;
    readBases.set(body, base);
    return base;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

function readBase(reader: CborReader): Base {
  reader.expectArray(5);
  if (reader.uint() !== HORIZON) throw new CborError('no horizon', reader.offset);
  const vector = readHeads(reader);
  const tombstone = reader.orNull(() => readOrder(reader));
  const fields = new Map<string, BaseField>();
  for (let left = reader.array(); left > 0; left -= 4) {
    if (left < 4) throw new CborError('a field has 4 parts', reader.offset);
    const field = reader.text();
    const order = readOrder(reader);
    const seen = reader.orNull(() => readOpIds(reader));
    fields.set(field, { order, seen, value: reader.skip() });
  }
  const counters = new Map<string, Map<Lane, BaseCounter>>();
  for (let left = reader.array(); left > 0; left -= 6) {
    if (left < 6) throw new CborError('a counter has 6 parts', reader.offset);
    const field = reader.text();
    const origin = originOfBytes(reader.bytes());
    const opClass = reader.uint();
    const total = reader.bytes();
    const adds = reader.uint();
    if (origin === undefined || !isOpClass(opClass) || total.length !== 8) {
      throw new CborError('malformed counter', reader.offset);
    }
    const byLane = counters.get(field) ?? new Map<Lane, BaseCounter>();
    byLane.set(laneOf(origin, opClass), {
      total: totalOfBytes(total),
      adds,
      order: readOrder(reader),
    });
    counters.set(field, byLane);
  }
  return { vector, tombstone, fields, counters };
}

function readOpIds(reader: CborReader): OpId[] {
  return Array.from({ length: reader.array() }, () => readOpId(reader));
}

interface Drawn {
  readonly order: WriteOrder;
  readonly base: Base;
}

/** What the horizons come to: of two that are ordered the further one counts, others join. */
export function joinHorizons(horizons: readonly RecordWrite[]): Base {
  if (horizons.length === 0) return NO_BASE;
  let base = joinedBases.get(horizons);
  if (base === undefined) {
    base = joinAll(horizons);
    joinedBases.set(horizons, base);
  }
  return base;
}

function joinAll(horizons: readonly RecordWrite[]): Base {
  const drawn = furthest(horizons);
  const [only] = drawn;
  if (only !== undefined && drawn.length === 1) return only.base;
  let vector: VersionVector = new Map();
  let tombstone: WriteOrder | undefined;
  const fields = new Map<string, BaseField>();
  for (const { base } of drawn) {
    vector = joinVectors(vector, base.vector);
    if (base.tombstone !== undefined && prevails(base.tombstone, tombstone))
      tombstone = base.tombstone;
    for (const [field, write] of base.fields) {
      if (prevails(write.order, fields.get(field)?.order)) fields.set(field, write);
    }
  }
  return { vector, tombstone, fields, counters: joinCounters(drawn) };
}

/** Of each lane counts what the horizon says that is furthest in it; of two the greater. */
function joinCounters(drawn: readonly Drawn[]): Map<string, Map<Lane, BaseCounter>> {
  const speakers = new Map<Lane, Drawn>();
  for (const each of drawn) {
    for (const [lane, seq] of each.base.vector) {
      const other = speakers.get(lane);
      const ahead = other === undefined ? 1 : seq - seqIn(other.base.vector, lane);
      if (
        other === undefined ||
        ahead > 0 ||
        (ahead === 0 && compareOrders(each.order, other.order) > 0)
      ) {
        speakers.set(lane, each);
      }
    }
  }
  const counters = new Map<string, Map<Lane, BaseCounter>>();
  for (const [lane, { base }] of speakers) {
    for (const [field, byLane] of base.counters) {
      const sum = byLane.get(lane);
      if (sum === undefined) continue;
      const joined = counters.get(field) ?? new Map<Lane, BaseCounter>();
      counters.set(field, joined.set(lane, sum));
    }
  }
  return counters;
}

/** Horizons that no other one is at or beyond in all lanes; of equal vectors the greatest. */
function furthest(horizons: readonly RecordWrite[]): Drawn[] {
  const all = horizons.flatMap(({ order, body }): Drawn[] => {
    const base = readHorizon(body);
    return base === undefined ? [] : [{ base, order }];
  });
  return all.filter(
    (one) =>
      !all.some(
        (other) =>
          other !== one &&
          covers(other.base.vector, one.base.vector) &&
          (!covers(one.base.vector, other.base.vector) ||
            compareOrders(other.order, one.order) > 0),
      ),
  );
}

/** Whether a horizon stands for the op. */
export function isBelow({ vector }: Pick<Base, 'vector'>, op: OpId): boolean {
  return op.seq <= seqIn(vector, laneOf(op.origin, op.class));
}

/** Whether a vector of horizons stands for the op as it is kept; for horizons none does. */
export function isCovered(vector: VersionVector, { order, kind }: RecordWrite): boolean {
  return kind !== CONTROL && order.seq <= seqIn(vector, laneOf(order.origin, order.class));
}

/** The horizons that another one makes needless. */
export function overtaken(horizons: readonly RecordWrite[]): RecordWrite[] {
  if (horizons.length < 2) return [];
  const kept = new Set(furthest(horizons).map(({ order }) => order));
  return horizons.filter(({ order }) => !kept.has(order));
}
