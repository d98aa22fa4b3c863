/**
 * The ops of a site that flow down to its hubs, as they came and with the stamp that they came with: one row an op, kept with
 * the batch that brought it first. What a hub lacks is asked of the database by the hub's vector, lane by lane.
 */
import { DOWN_CLASSES } from '../../../batch/wire/down-messages.ts';
import { DOWN_SEAL_LIMITS } from '../../../batch/limits.ts';
import { CborReader } from '../../../codec/reader.ts';
import { CborWriter } from '../../../codec/writer.ts';
import { decodeOp, readStamp, type Stamp, type StampedOp, writeStamp } from '../../../model/op.ts';
import type { Origin } from '../../../model/origin.ts';
import type { PgValue, Sql } from '../../../platform/network/postgres.ts';
import type { DownOps, DownQuery } from '../../downlink/down-source.ts';
import { byteaArray, int4Array, int8Array, textArray } from '../binary-arrays.ts';

/** What a hub lacks of a lane is counted up to here; more is told by its next hello. */
const COUNT_MAX = 20_000;

const PUT = `
  INSERT INTO heliograph.site_op (lane_id, seq, via, op, stamp)
  SELECT l, s, $1, o, t FROM unnest($2::int[], $3::int8[], $4::bytea[], $5::bytea[]) AS u (l, s, o, t)
  ON CONFLICT DO NOTHING`;
/**
 * Lanes of the classes that go on beyond the hub's vector, without those that it makes itself; of each the ops that follow
 * one on the other. What it has handed in itself it has: such an op is a gap here, and beyond it nothing is sent.
 */
const lacking = (columns: string): string => `
  FROM (
    SELECT l.id, l.lane, l.up_to, coalesce(t.seq, 0) AS known FROM heliograph.lane l
    LEFT JOIN unnest($3::text[], $4::int8[]) AS t (lane, seq) ON t.lane COLLATE "C" = l.lane
    WHERE l.site_id = $1 AND split_part(l.lane, '/', 2) = ANY ($5::text[]) AND split_part(l.lane, '/', 1) <> $2
  ) l
  CROSS JOIN LATERAL (
    SELECT ${columns} row_number() OVER (ORDER BY o.seq) AS step, o.seq FROM heliograph.site_op o
    WHERE o.lane_id = l.id AND o.seq > l.known AND o.seq <= l.up_to AND o.via <> $2 ORDER BY o.seq LIMIT $6
  ) o
  WHERE l.up_to > l.known AND o.seq = l.known + o.step`;
const COUNT = `SELECT count(*) AS count ${lacking('')}`;
/** In the order in which they came, but each lane in its own. */
const NEXT = `
  SELECT o.op, o.stamp ${lacking('o.op, o.stamp, max(o.number) OVER (ORDER BY o.seq) AS number,')}
  ORDER BY o.number, l.id, o.seq LIMIT $6`;

export interface SiteOp {
  readonly laneId: number;
  readonly stamped: StampedOp;
}

/** Keeps ops of the classes that flow down; `via` is the hub that brought them. */
export async function putSiteOps(sql: Sql, via: Origin, ops: readonly SiteOp[]): Promise<void> {
  const { opsMax } = DOWN_SEAL_LIMITS;
  for (let from = 0; from < ops.length; from += opsMax) {
    const slice = ops.slice(from, from + opsMax);
    await sql.query(PUT, [
      via,
      int4Array(slice.map(({ laneId }) => laneId)),
      int8Array(slice.map(({ stamped }) => stamped.op.seq)),
      byteaArray(slice.map(({ stamped }) => stamped.bytes)),
      byteaArray(slice.map(({ stamped }) => encodeStamp(stamped.stamp))),
    ]);
  }
}

export async function countFor(sql: Sql, siteId: number, query: DownQuery): Promise<number> {
  const classes = DOWN_CLASSES.filter((it) => query.classes.includes(it));
  const values = [...placeOf(siteId, query), textArray(classes.map(String)), COUNT_MAX];
  const [row] = await sql.query(COUNT, values);
  return Number(row?.['count']);
}

/** Of the highest class of which any wait, as many as fit in a batch. */
export async function nextFor(
  sql: Sql,
  siteId: number,
  query: DownQuery,
): Promise<DownOps | undefined> {
  const { opsMax, opBytesMax } = DOWN_SEAL_LIMITS;
  for (const opClass of DOWN_CLASSES.filter((it) => query.classes.includes(it))) {
    const values = [...placeOf(siteId, query), textArray([String(opClass)]), opsMax];
    const ops: StampedOp[] = [];
    let bytes = 0;
    for (const row of await sql.query(NEXT, values)) {
      const stamped = stampedOf(row['op'] as Uint8Array, row['stamp'] as Uint8Array);
      bytes += stamped.bytes.length;
      if (ops.length > 0 && bytes > opBytesMax) break;
      ops.push(stamped);
    }
    if (ops.length > 0) return { class: opClass, ops };
  }
  return undefined;
}

function placeOf(siteId: number, { hub, vector }: DownQuery): PgValue[] {
  return [siteId, hub, textArray([...vector.keys()]), int8Array([...vector.values()])];
}

export function stampedOf(bytes: Uint8Array, stamp: Uint8Array): StampedOp {
  return { bytes, op: decodeOp(bytes), stamp: readStamp(new CborReader(stamp)) };
}

function encodeStamp(stamp: Stamp): Uint8Array {
  const writer = new CborWriter(40);
  writeStamp(writer, stamp);
  return writer.finish();
}
