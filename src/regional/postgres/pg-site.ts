/** A site in PostgreSQL, as one worker of any number sees it. Nothing is held here but numbers of keys. */
import type { BatchId } from '../../batch/batch-id.ts';
import { type Chunk, ChunkBitmap } from '../../batch/wire/chunks.ts';
import { CHUNKS_MAX } from '../../batch/limits.ts';
import type { BatchRef, NamedBatch } from '../../batch/wire/short-chunk.ts';
import type { Hello } from '../../batch/wire/messages.ts';
import { utf8 } from '../../base/bytes.ts';
import type { Origin } from '../../model/origin.ts';
import type { Database } from '../../platform/network/postgres.ts';
import {
  PAGE_READINGS,
  pageOf,
  type ReadingsPage,
  type ReadingsQuery,
} from '../../store/readings/readings.ts';
import type { HealSource } from '../healing/healer.ts';
import type { DownSource } from '../downlink/down-source.ts';
import { spentOf } from '../pressure/day-quota.ts';
import { quotaBytes, type RegionalLimits } from '../limits.ts';
import type {
  Claim,
  HubContact,
  Met,
  PutOutcome,
  SiteFigures,
  SiteStorage,
  Spent,
} from '../site-storage.ts';
import type { SiteDigest } from '../embedded/site-store.ts';
import { textArray } from './binary-arrays.ts';
import { PgDownSource } from './down/pg-down-source.ts';
import { claimBatch, type ClaimPlace, ORDER_WAIT_S } from './pg-claim.ts';
import { digestOfSite } from './folding/state-digest.ts';
import { TODAY } from './schema/views.ts';

const HUBS = `
  SELECT k.hub, c.software, c.hindrance, r.refusal, extract(epoch FROM c.heard_at) * 1000 AS heard_ms, ARRAY(
    SELECT DISTINCT p.reason FROM heliograph.parked p LEFT JOIN heliograph.receipt t USING (site_id, hub, batch)
    WHERE p.site_id = k.site_id AND p.hub = k.hub AND t.batch IS NULL ORDER BY 1) AS parked
  FROM heliograph.hub_key k
  LEFT JOIN heliograph.contact c ON c.site_id = k.site_id AND c.hub = k.hub
  LEFT JOIN heliograph.receiver r ON r.site_id = k.site_id AND r.hub = k.hub WHERE k.site_id = $1 ORDER BY k.hub`;
const MEET = `
  INSERT INTO heliograph.hub_key (site_id, hub, public_key) SELECT $1, $2, $3
  WHERE (SELECT count(*) FROM heliograph.hub_key WHERE site_id = $1) < $4 ON CONFLICT DO NOTHING RETURNING hub`;
const KEY =
  'SELECT public_key = $3 AS is_same FROM heliograph.hub_key WHERE site_id = $1 AND hub = $2';
const KEY_OF = 'SELECT public_key FROM heliograph.hub_key WHERE site_id = $1 AND hub = $2';
/** \`nonce\` as it was before. */
const HEAR = `
  WITH before AS (SELECT nonce FROM heliograph.contact WHERE site_id = $1 AND hub = $2),
    after AS (INSERT INTO heliograph.contact AS c (site_id, hub, nonce, software, spooled, hindrance, heard_at)
      VALUES ($1, $2, $3, $4, $5::text[], $6, now()) ON CONFLICT (site_id, hub) DO UPDATE
      SET nonce = excluded.nonce, software = excluded.software, spooled = excluded.spooled,
        hindrance = excluded.hindrance, heard_at = now())
  SELECT nonce IS NOT NULL AND nonce <> $3 AS is_new FROM before`;
/** Batches that wait for one that the hub no longer has: it will not come. */
const WAITS_IN_VAIN = `
  UPDATE heliograph.part SET waits_for = NULL
  WHERE site_id = $1 AND hub = $2 AND waits_for <> ALL ($3::text[]) AND batch = ANY ($3::text[])`;
const GIVEN_UP = `
  WITH gone AS (
    SELECT batch FROM heliograph.part WHERE site_id = $1 AND hub = $2 AND batch <> ALL ($3::text[])
    FOR UPDATE SKIP LOCKED),
    chunks AS (DELETE FROM heliograph.chunk c USING gone WHERE c.site_id = $1 AND c.hub = $2 AND c.batch = gone.batch)
  DELETE FROM heliograph.part p USING gone WHERE p.site_id = $1 AND p.hub = $2 AND p.batch = gone.batch`;
const UNDERWAY = 'SELECT batch FROM heliograph.part WHERE site_id = $1 AND hub = $2';
const PUT = 'SELECT * FROM heliograph.put_chunk($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)';
const SPENT = `
  SELECT coalesce(sum(bytes), 0) AS of_site, coalesce(sum(bytes) FILTER (WHERE hub = $2), 0) AS of_hub
  FROM heliograph.traffic WHERE site_id = $1 AND day = ${TODAY}`;
const HAVE = `
  SELECT p.total, c.idx FROM heliograph.part p
  LEFT JOIN heliograph.chunk c ON c.site_id = p.site_id AND c.hub = p.hub AND c.batch = p.batch
  WHERE p.site_id = $1 AND p.hub = $2 AND p.batch = $3`;
/** A prefix of ids, whose order is that of their bytes. */
const NAMED = `
  SELECT batch, bytes FROM heliograph.part WHERE site_id = $1 AND hub = $2 AND batch >= $3 AND batch < $3 || 'g'
  UNION ALL SELECT batch, bytes FROM heliograph.receipt
    WHERE site_id = $1 AND hub = $2 AND batch >= $3 AND batch < $3 || 'g' LIMIT 1`;
const RECEIPT =
  'SELECT receipt FROM heliograph.receipt WHERE site_id = $1 AND hub = $2 AND batch = $3';
const COMPLETE = `
  SELECT hub, batch FROM heliograph.part WHERE site_id = $1 AND have = total
  AND (waits_for IS NULL OR complete_at < now() - interval '${ORDER_WAIT_S} s') ORDER BY complete_at LIMIT 200`;
const BATCHES =
  'SELECT coalesce(sum(batches), 0) AS count FROM heliograph.hub_key WHERE site_id = $1';
const FIGURES = `
  SELECT count(*) AS underway, count(*) FILTER (WHERE have = total) AS complete,
    (SELECT count(*) FROM heliograph.parked WHERE site_id = $1) AS parked
  FROM heliograph.part WHERE site_id = $1`;
const READINGS = `
  SELECT extract(epoch FROM r.at) * 1000 AS at_ms, r.payload FROM heliograph.reading r
  JOIN heliograph.key k ON k.id = r.key_id
  WHERE k.site_id = $1 AND k.name = $2 AND r.at >= to_timestamp($3::float8 / 1000) AND r.at < to_timestamp($4::float8 / 1000)
  ORDER BY r.at, r.lane_id, r.seq LIMIT $5`;
/** The last moment that PostgreSQL is asked for; later ones are none of ours. */
const LATEST_MS = 2 ** 48;
/** Rows of one page: enough for a page of single readings, or of buckets that are not too full. */
const PAGE_ROWS = 10 * PAGE_READINGS;

export class PgSite implements SiteStorage {
  readonly #database: Database;
  readonly #siteId: number;
  readonly #limits: RegionalLimits;
  readonly #place: ClaimPlace;
  readonly down: DownSource;
  readonly heal: HealSource;

  constructor(place: ClaimPlace, heal: HealSource) {
    this.#database = place.database;
    this.#siteId = place.siteId;
    this.#limits = place.limits;
    this.#place = place;
    this.down = new PgDownSource(place);
    this.heal = heal;
  }

  async hubs(): Promise<HubContact[]> {
    const rows = await this.#database.query(HUBS, [this.#siteId]);
    return rows.map((row) => ({
      hub: row['hub'] as Origin,
      software: (row['software'] as string | null) ?? undefined,
      heardMs: row['heard_ms'] === null ? undefined : Math.floor(Number(row['heard_ms'])),
      parked: row['parked'] as string[],
      hindrance: (row['hindrance'] as string | null) ?? undefined,
      refusal: (row['refusal'] as string | null) ?? undefined,
    }));
  }

  meet(hub: Origin, publicKey: Uint8Array): Promise<Met> {
    return this.#database.patiently(async () => {
      const find = async (): Promise<Met | undefined> => {
        const [row] = await this.#database.query(KEY, [this.#siteId, hub, publicKey]);
        return row === undefined ? undefined : row['is_same'] === true ? 'known' : 'other';
      };
      const known = await find();
      if (known !== undefined) return known;
      const values = [this.#siteId, hub, publicKey, this.#limits.hubsMax];
      if ((await this.#database.query(MEET, values)).length > 0) return 'new';
      return (await find()) ?? 'full';
    });
  }

  heard({ hub, nonce, software, spooled }: Hello, hindrance?: string): Promise<BatchId[]> {
    return this.#database.patiently(async () => {
      const named = textArray(spooled);
      const values = [this.#siteId, hub, nonce, software, named, hindrance ?? null];
      const [row] = await this.#database.query(HEAR, values);
      // The first hello we hear may be an old one that the broker kept: only a later one speaks of now.
      if (row?.['is_new'] === true) {
        await this.#database.query(GIVEN_UP, [this.#siteId, hub, named]);
        await this.#database.query(WAITS_IN_VAIN, [this.#siteId, hub, named]);
      }
      const rows = await this.#database.query(UNDERWAY, [this.#siteId, hub]);
      return rows.map(({ batch }) => batch as BatchId);
    });
  }

  put(hub: Origin, batch: BatchId, chunk: Chunk): Promise<PutOutcome> {
    const { partsMax, partBytesMax, hubMibPerDay, siteMibPerDay } = this.#limits;
    const { index, total, batchBytes, data } = chunk;
    const quotas = [hubMibPerDay, siteMibPerDay].map((mib) =>
      mib === 0 ? 0 : Math.floor(quotaBytes(mib).withReserve),
    );
    const values = [index, total, batchBytes, data, partsMax, partBytesMax, ...quotas];
    return this.#database.patiently(async () => {
      const [row] = await this.#database.query(PUT, [this.#siteId, hub, batch, ...values]);
      const outcome = row?.['outcome'] as PutOutcome['kind'];
      if (outcome === 'stored') return { kind: outcome, receipt: row?.['receipt'] as Uint8Array };
      if (outcome !== 'kept') return { kind: outcome };
      return {
        kind: outcome,
        isComplete: row?.['is_complete'] === true,
        isContradiction: row?.['is_contradiction'] === true,
        evicted: row?.['evicted'] as BatchId[],
      };
    });
  }

  named(hub: Origin, ref: BatchRef): Promise<NamedBatch | undefined> {
    return this.#database.patiently(async () => {
      const [row] = await this.#database.query(NAMED, [this.#siteId, hub, ref]);
      if (row === undefined) return undefined;
      return { batch: row['batch'] as BatchId, batchBytes: Number(row['bytes']) };
    });
  }

  async spent(hub: Origin): Promise<Spent> {
    const { hubMibPerDay, siteMibPerDay } = this.#limits;
    if (hubMibPerDay === 0 && siteMibPerDay === 0) return 'no';
    const [row] = await this.#database.query(SPENT, [this.#siteId, hub]);
    const [ofHub, ofSite] = [Number(row?.['of_hub']), Number(row?.['of_site'])];
    return spentOf(ofHub, ofSite, hubMibPerDay, siteMibPerDay);
  }

  have(hub: Origin, batch: BatchId): Promise<ChunkBitmap | undefined> {
    return this.#database.patiently(async () => {
      const rows = await this.#database.query(HAVE, [this.#siteId, hub, batch]);
      const total = rows[0]?.['total'] as number | undefined;
      if (total === undefined || total > CHUNKS_MAX) return undefined;
      const chunks = new ChunkBitmap(total);
      for (const { idx } of rows) if (idx !== null) chunks.add(idx as number);
      return chunks;
    });
  }

  receipt(hub: Origin, batch: BatchId): Promise<Uint8Array | undefined> {
    return this.#database.patiently(async () => {
      const [row] = await this.#database.query(RECEIPT, [this.#siteId, hub, batch]);
      return row?.['receipt'] as Uint8Array | undefined;
    });
  }

  async complete(): Promise<{ hub: Origin; batch: BatchId }[]> {
    const rows = await this.#database.query(COMPLETE, [this.#siteId]);
    return rows.map(({ hub, batch }) => ({ hub: hub as Origin, batch: batch as BatchId }));
  }

  async keyOf(hub: Origin): Promise<Uint8Array | undefined> {
    const [row] = await this.#database.query(KEY_OF, [this.#siteId, hub]);
    return row?.['public_key'] as Uint8Array | undefined;
  }

  claim(hub: Origin, batch: BatchId): Promise<Claim | undefined> {
    return claimBatch(this.#place, hub, batch);
  }

  async batches(): Promise<number> {
    const [row] = await this.#database.query(BATCHES, [this.#siteId]);
    return Number(row?.['count']);
  }

  async figures(): Promise<SiteFigures> {
    const [row] = await this.#database.query(FIGURES, [this.#siteId]);
    const figure = (name: string): number => Number(row?.[name]);
    const [underway, complete, parked] = [figure('underway'), figure('complete'), figure('parked')];
    return { batches: await this.batches(), underway, complete, parked };
  }

  digest(): Promise<SiteDigest> {
    return digestOfSite(this.#database, this.#siteId);
  }

  async readings({ key, fromMs, toMs, stepMs = 0 }: ReadingsQuery): Promise<ReadingsPage> {
    const [from, to] = [Math.min(fromMs, LATEST_MS), Math.min(toMs, LATEST_MS)];
    if (from >= to) return { points: [], nextFromMs: undefined };
    const values = [this.#siteId, utf8(key), from, to, PAGE_ROWS];
    const rows = await this.#database.query(READINGS, values);
    const found = rows.map((row) => ({
      atMs: Math.round(Number(row['at_ms'])),
      payload: row['payload'] as Uint8Array,
    }));
    const isAll = rows.length < PAGE_ROWS;
    return pageOf(found, stepMs, isAll ? to : (found.at(-1)?.atMs ?? to), to);
  }

  async close(): Promise<void> {
    // The connections are the storage's.
  }
}
