/**
 * Folds the ops of a batch into the tables, each op once, in the caller's transaction. Which op prevails is decided
 * by merge/: for events by their encoded order, which the database compares byte by byte; for records by the same
 * fold that runs everywhere, on a working set.
 *
 * Locks are taken in one order: lanes, then boots, then records, then newest events, each by its number.
 */
import { DOWN_CLASSES } from '../../../batch/wire/down-messages.ts';
import { isWildEvent } from '../../../merge/op-again.ts';
import { compareOrders, encodeOrder, eventOrder, type WriteOrder } from '../../../merge/order.ts';
import type { RecordWrite } from '../../../merge/record.ts';
import { LOG, type OpClass } from '../../../model/class.ts';
import { DOC, EVENT, isRecordKind, type Op, type StampedOp } from '../../../model/op.ts';
import { type Lane, laneOf, type Origin } from '../../../model/origin.ts';
import type { Sql } from '../../../platform/network/postgres.ts';
import {
  decodeRanges,
  encodeRanges,
  type LaneOps,
  SeenOps,
} from '../../../store/folding/seen-ops.ts';
import { putContents } from '../assets/content-cells.ts';
import { byteaArray, int4Array, int8Array, textArray, timeArray } from '../binary-arrays.ts';
import { BootTimes } from './boot-times.ts';
import { noteConflicts } from './conflict-table.ts';
import { foldDocs } from './doc-table.ts';
import { putSiteOps, type SiteOp } from '../down/site-ops.ts';
import { loadRecords, loadWrites, saveRecords } from './record-tables.ts';
import { type RecordConflicts, WorkingSet, WritesNotLoaded } from './working-set.ts';

const LANES = `
  SELECT id, lane, up_to, beyond FROM heliograph.lane WHERE site_id = $1 AND lane = ANY ($2::text[])
  ORDER BY id FOR UPDATE`;
const PUT_LANES = `
  UPDATE heliograph.lane l SET up_to = t.up_to, beyond = t.beyond
  FROM unnest($1::int[], $2::int8[], $3::bytea[]) AS t (id, up_to, beyond) WHERE l.id = t.id`;
const PUT_READINGS = `
  INSERT INTO heliograph.reading (at, key_id, lane_id, seq, payload, boot_id, monotonic_ms, own_start_at)
  SELECT * FROM unnest($1::timestamptz[], $2::int[], $3::int[], $4::int8[], $5::bytea[], $6::int8[], $7::int8[],
    $8::timestamptz[])`;
const PUT_LATEST = `
  INSERT INTO heliograph.latest AS l (key_id, rank, payload)
  SELECT k, r, p FROM unnest($1::int[], $2::bytea[], $3::bytea[]) AS t (k, r, p) ORDER BY k
  ON CONFLICT (key_id) DO UPDATE SET rank = excluded.rank, payload = excluded.payload
  WHERE excluded.rank > l.rank`;
/** Readings of one statement: what PostgreSQL holds in memory at once. */
const READINGS_AT_ONCE = 8_192;

interface FoldPlace {
  readonly siteId: number;
  /** The hub that brought the batch. */
  readonly via: Origin;
  /** Numbers of all keys of the batch. */
  readonly idByKey: ReadonlyMap<string, number>;
}

export async function foldBatch(
  sql: Sql,
  place: FoldPlace,
  entries: readonly StampedOp[],
): Promise<void> {
  const laneNames = lanesOf(entries);
  const seen = new SeenOps();
  const laneIds = new Map<Lane, number>();
  for (const row of await sql.query(LANES, [place.siteId, textArray(laneNames)])) {
    const lane = row['lane'] as Lane;
    const beyond = row['beyond'] === null ? [] : decodeRanges(row['beyond'] as Uint8Array);
    seen.restore({ lane, upTo: Number(row['up_to']), beyond });
    laneIds.set(lane, row['id'] as number);
  }
  const events: SiteOp[] = [];
  const others: SiteOp[] = [];
  const again: StampedOp[] = [];
  const eventsAgain: StampedOp[] = [];
  let lane: { readonly ops: LaneOps; readonly id: number; readonly class: OpClass } | undefined;
  for (const stamped of entries) {
    const { op } = stamped;
    if (lane?.ops.origin !== op.origin || lane.class !== op.class) {
      const name = laneOf(op.origin, op.class);
      lane = { ops: seen.lane(name), id: laneIds.get(name) as number, class: op.class };
    }
    if (!lane.ops.add(op.seq)) {
      if (isWildEvent(stamped)) eventsAgain.push(stamped);
      else if (isRecordKind(op.kind)) again.push(stamped);
    } else if (op.kind === EVENT) events.push({ stamped, laneId: lane.id });
    else others.push({ stamped, laneId: lane.id });
  }
  const down = [...events, ...others].filter(({ stamped }) =>
    DOWN_CLASSES.includes(stamped.op.class),
  );
  await putSiteOps(sql, place.via, down);
  await putContents(sql, place.siteId, entries);
  const fresh = others.map(({ stamped }) => stamped);
  const news = [...fresh, ...events.map(({ stamped }) => stamped)];
  const times = await BootTimes.learn(sql, place.siteId, news);
  await foldEvents(sql, place, events, times);
  await putLatest(sql, place, [...events.map(({ stamped }) => stamped), ...eventsAgain]);
  await foldRecords(sql, place, fresh, again);
  await times.putUndated(sql, onRecords(fresh));
  const changed = [...seen.takeChanges()];
  if (changed.length === 0) return;
  await sql.query(PUT_LANES, [
    int4Array(changed.map((each) => laneIds.get(each.lane) as number)),
    int8Array(changed.map(({ upTo }) => upTo)),
    byteaArray(changed.map(({ beyond }) => encodeRanges(beyond))),
  ]);
}

/** The lanes that ops are of. */
export function lanesOf(entries: readonly StampedOp[]): Lane[] {
  const lanes = new Set<Lane>();
  let last: Op | undefined;
  for (const { op } of entries) {
    if (last?.origin !== op.origin || last.class !== op.class)
      lanes.add(laneOf(op.origin, op.class));
    last = op;
  }
  return [...lanes];
}

function onRecords(ops: readonly StampedOp[]): StampedOp[] {
  return ops.filter(({ op }) => op.class !== LOG && op.kind !== DOC);
}

async function foldEvents(
  sql: Sql,
  { idByKey }: FoldPlace,
  events: readonly SiteOp[],
  times: BootTimes,
): Promise<void> {
  for (let from = 0; from < events.length; from += READINGS_AT_ONCE) {
    const slice = events.slice(from, from + READINGS_AT_ONCE);
    const dated = slice.map(({ stamped }) => times.dated(stamped));
    await sql.query(PUT_READINGS, [
      timeArray(dated.map(({ atMs }) => atMs)),
      int4Array(slice.map(({ stamped }) => idByKey.get(stamped.op.key) as number)),
      int4Array(slice.map(({ laneId }) => laneId)),
      int8Array(slice.map(({ stamped }) => stamped.op.seq)),
      byteaArray(slice.map(({ stamped }) => stamped.op.body)),
      int8Array(dated.map(({ boot }) => boot?.bootId)),
      int8Array(dated.map(({ boot }) => boot?.monotonicMs)),
      timeArray(dated.map(({ boot }) => boot?.ownStartMs)),
    ]);
  }
}

/** Of each key the latest; an event that came before counts once more with another stamp (MERGE.md §4). */
async function putLatest(
  sql: Sql,
  { idByKey }: FoldPlace,
  events: readonly StampedOp[],
): Promise<void> {
  const newest = new Map<number, { order: WriteOrder; body: Uint8Array }>();
  for (const stamped of events) {
    const { op } = stamped;
    if (op.class === LOG) continue;
    const [order, keyId] = [eventOrder(stamped), idByKey.get(op.key) as number];
    const standing = newest.get(keyId);
    if (standing !== undefined && compareOrders(order, standing.order) < 0) continue;
    newest.set(keyId, { order, body: op.body });
  }
  if (newest.size === 0) return;
  const writes = [...newest.values()];
  await sql.query(PUT_LATEST, [
    int4Array([...newest.keys()]),
    byteaArray(writes.map(({ order }) => encodeOrder(order))),
    byteaArray(writes.map(({ body }) => body)),
  ]);
}

async function foldRecords(
  sql: Sql,
  { idByKey }: FoldPlace,
  ops: readonly StampedOp[],
  again: readonly StampedOp[],
): Promise<void> {
  const touched = ops.filter((stamped) => stamped.op.class !== LOG);
  const all = [...touched, ...again];
  if (all.length === 0) return;
  const ids = new Map(all.map(({ op }) => [op.key, idByKey.get(op.key) as number]));
  const stored = await loadRecords(sql, ids);
  const writesByKey = new Map<string, readonly RecordWrite[]>();
  for (;;) {
    const set = new WorkingSet(stored, writesByKey);
    let met: RecordConflicts[];
    try {
      for (const stamped of touched) if (stamped.op.kind !== DOC) set.take(stamped);
      for (const stamped of again) set.takeAgain(stamped);
      met = set.conflicts();
    } catch (error) {
      if (!(error instanceof WritesNotLoaded)) throw error;
      writesByKey.set(error.key, await loadWrites(sql, ids.get(error.key) as number));
      continue;
    }
    await saveRecords(sql, set);
    await noteConflicts(sql, met);
    const docOps = touched.map(({ op }) => op).filter(({ kind }) => kind === DOC);
    return foldDocs(sql, ids, docOps);
  }
}
