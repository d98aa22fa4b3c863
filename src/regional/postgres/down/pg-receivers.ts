/**
 * Where the hubs of a site stand, for all workers. A change holds the row of the hub: a second worker waits, and sees what
 * the first one made of it. Batches on their way lie in a table that is not logged: of a server that crashes they are
 * sealed anew.
 */
import {
  decodeLacks,
  decodeVector,
  encodeLacks,
  encodeVector,
} from '../../../batch/wire/down-messages.ts';
import type { BatchId } from '../../../batch/batch-id.ts';
import type { OpClass } from '../../../model/class.ts';
import type { Origin } from '../../../model/origin.ts';
import type { Database, PgRow, PgValue, Sql } from '../../../platform/network/postgres.ts';
import type { Refused } from '../../downlink/refused.ts';
import type { Receiver, ReceiverBook, ReceiverChange, Underway } from '../../downlink/receivers.ts';
import { int2Array } from '../binary-arrays.ts';

const COLUMNS = `r.takes, r.vector, r.lacks, r.seal_key, r.refusal, r.refused_lanes, r.refused_tries, r.refused_until_ms,
  d.batch, d.class, d.ops, d.reaches, d.bytes`;
const GET = `
  SELECT ${COLUMNS} FROM heliograph.receiver r
  LEFT JOIN heliograph.down_batch d ON d.site_id = r.site_id AND d.hub = r.hub WHERE r.site_id = $1 AND r.hub = $2`;
const LOCK =
  "SELECT pg_advisory_xact_lock(hashtextextended('heliograph receiver ' || $1 || ' ' || $2, 0))";
const PUT = `
  INSERT INTO heliograph.receiver (site_id, hub, takes, vector, seal_key, lacks,
    refusal, refused_lanes, refused_tries, refused_until_ms) VALUES ($1, $2, $3::int2[], $4, $5, $6, $7, $8, $9, $10)
  ON CONFLICT (site_id, hub) DO UPDATE
  SET takes = excluded.takes, vector = excluded.vector, seal_key = excluded.seal_key, lacks = excluded.lacks,
    refusal = excluded.refusal, refused_lanes = excluded.refused_lanes, refused_tries = excluded.refused_tries,
    refused_until_ms = excluded.refused_until_ms, changed_at = now()`;
const FORGET = 'DELETE FROM heliograph.receiver WHERE site_id = $1 AND hub = $2';
const SEND = `
  INSERT INTO heliograph.down_batch (site_id, hub, batch, class, ops, reaches, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (site_id, hub) DO UPDATE SET batch = excluded.batch, class = excluded.class, ops = excluded.ops,
    reaches = excluded.reaches, bytes = excluded.bytes`;
const SENT = 'DELETE FROM heliograph.down_batch WHERE site_id = $1 AND hub = $2';
/** What a hub sends is noted in its contact: one that has said nothing for so long listens no more. */
const IDLE = `
  SELECT r.hub FROM heliograph.receiver r JOIN heliograph.contact c ON c.site_id = r.site_id AND c.hub = r.hub
  WHERE r.site_id = $1 AND c.heard_at > now() - interval '5 minutes' AND cardinality(r.takes) > 0 AND NOT EXISTS (
    SELECT FROM heliograph.down_batch d WHERE d.site_id = r.site_id AND d.hub = r.hub)
  ORDER BY c.heard_at DESC LIMIT 1000`;

export class PgReceivers implements ReceiverBook {
  readonly #database: Database;
  readonly #siteId: number;

  constructor(database: Database, siteId: number) {
    this.#database = database;
    this.#siteId = siteId;
  }

  async get(hub: Origin): Promise<Receiver | undefined> {
    const [row] = await this.#database.query(GET, [this.#siteId, hub]);
    return row === undefined ? undefined : receiverOf(row);
  }

  async change<T>(
    hub: Origin,
    change: (known: Receiver | undefined) => Promise<ReceiverChange<T>>,
  ): Promise<T> {
    return this.#database.transaction(async (sql) => {
      await sql.query(LOCK, [String(this.#siteId), hub]);
      const [row] = await sql.query(GET, [this.#siteId, hub]);
      const known = row === undefined ? undefined : receiverOf(row);
      const { receiver, result } = await change(known);
      if (receiver !== undefined) await this.#keep(sql, hub, receiver, known);
      return result;
    });
  }

  async idle(): Promise<Origin[]> {
    const rows = await this.#database.query(IDLE, [this.#siteId]);
    return rows.map(({ hub }) => hub as Origin);
  }

  async #keep(
    sql: Sql,
    hub: Origin,
    { takes, vector, lacks = [], sealKey, underway, refused }: Receiver,
    known: Receiver | undefined,
  ): Promise<void> {
    const name = [this.#siteId, hub];
    const told = encodeVector(vector);
    // It knows more lanes by now than a hello can tell of, and will ask for nothing more.
    if (told === undefined) await sql.query(FORGET, name);
    else {
      const lost = lacks.length === 0 ? null : encodeLacks(lacks);
      await sql.query(PUT, [
        ...name,
        int2Array(takes),
        told,
        sealKey ?? null,
        lost,
        ...refusedValues(refused),
      ]);
    }
    if (underway === known?.underway) return;
    const reaches = underway === undefined ? undefined : encodeVector(underway.reaches);
    if (underway === undefined || told === undefined || reaches === undefined) {
      await sql.query(SENT, name);
      return;
    }
    const { batch, class: opClass, ops, bytes } = underway;
    await sql.query(SEND, [...name, batch, opClass, ops, reaches, bytes]);
  }
}

function receiverOf(row: PgRow): Receiver {
  const sealKey = row['seal_key'] as Uint8Array | null;
  const lacks = row['lacks'] as Uint8Array | null;
  return {
    takes: row['takes'] as OpClass[],
    vector: decodeVector(row['vector'] as Uint8Array) ?? new Map(),
    ...(lacks === null ? {} : { lacks: decodeLacks(lacks) ?? [] }),
    ...(sealKey === null ? {} : { sealKey }),
    underway: underwayOf(row),
    refused: refusedOf(row),
  };
}

function refusedValues(refused: Refused | undefined): PgValue[] {
  const lanes = refused && encodeVector(refused.lanes);
  if (refused === undefined || lanes === undefined) return [null, null, null, null];
  return [refused.reason, lanes, refused.tries, refused.untilMs];
}

function refusedOf(row: PgRow): Refused | undefined {
  if (row['refusal'] === null) return undefined;
  return {
    reason: row['refusal'] as string,
    lanes: decodeVector(row['refused_lanes'] as Uint8Array) ?? new Map(),
    tries: row['refused_tries'] as number,
    untilMs: Number(row['refused_until_ms']),
  };
}

function underwayOf(row: PgRow): Underway | undefined {
  if (row['batch'] === null) return undefined;
  return {
    batch: row['batch'] as BatchId,
    class: row['class'] as OpClass,
    ops: row['ops'] as number,
    reaches: decodeVector(row['reaches'] as Uint8Array) ?? new Map(),
    bytes: row['bytes'] as Uint8Array,
  };
}
