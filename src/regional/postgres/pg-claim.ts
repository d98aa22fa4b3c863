/**
 * A complete batch in the hands of one worker: a transaction that holds the row of the batch, and with `keep` the
 * hub. What `keep` does is there as a whole when it is committed, or not at all; a worker that dies takes its
 * transaction with it, and the next one begins anew.
 *
 * Of one hub the batches of a class are kept in their order: workers finish in any order, and a batch that came before its
 * predecessor would leave a gap in the hub's history for good. One whose predecessor is not known waits for it, as long as
 * the hub may still send it.
 */
import { concatBytes } from '../../base/bytes.ts';
import type { BatchId } from '../../batch/batch-id.ts';
import type { Manifest } from '../../batch/manifest.ts';
import type { SealedBatch } from '../../batch/seal-batch.ts';
import type { OpClass } from '../../model/class.ts';
import type { Origin } from '../../model/origin.ts';
import type { Database, Sql, Transaction } from '../../platform/network/postgres.ts';
import { compareHistory, type HistoryOutcome } from '../history/history-watch.ts';
import type { RegionalLimits } from '../limits.ts';
import type { Claim, KeepOutcome, OpenedBatch, ReceiptFor } from '../site-storage.ts';
import { contentsIn } from './assets/content-cells.ts';
import type { PgContents } from './assets/pg-contents.ts';
import { foldBatch, lanesOf } from './folding/fold-batch.ts';
import type { KeyBook } from './key-book.ts';
import { loadTree, saveTree } from './folding/ledger-tables.ts';
import type { RetentionClock } from '../history/retention-clock.ts';
import type { Partitions } from './schema/partitions.ts';

/**
 * How long a batch waits for the one before it, where nobody knows whether the hub still has that: longer than a hub takes
 * to find out that chunks were lost with a worker, and to greet anew.
 */
export const ORDER_WAIT_S = 90;

const TAKE = `
  SELECT p.total, k.public_key, p.complete_at < now() - interval '${ORDER_WAIT_S} s' AS has_waited
  FROM heliograph.part p JOIN heliograph.hub_key k ON k.site_id = p.site_id AND k.hub = p.hub
  WHERE p.site_id = $1 AND p.hub = $2 AND p.batch = $3 AND p.have = p.total FOR UPDATE OF p SKIP LOCKED`;
const CHUNKS = `
  SELECT data FROM heliograph.chunk WHERE site_id = $1 AND hub = $2 AND batch = $3 ORDER BY idx`;
const DROP_CHUNKS = 'DELETE FROM heliograph.chunk WHERE site_id = $1 AND hub = $2 AND batch = $3';
const DROP_PART = 'DELETE FROM heliograph.part WHERE site_id = $1 AND hub = $2 AND batch = $3';
const LOCK_HUB =
  "SELECT pg_advisory_xact_lock(hashtextextended('heliograph hub ' || $1 || ' ' || $2, 0))";
const KNOWN = `
  SELECT (SELECT receipt FROM heliograph.receipt WHERE site_id = $1 AND hub = $2 AND batch = $3) AS receipt,
    EXISTS (SELECT FROM heliograph.receipt WHERE site_id = $1 AND hub = $2 AND batch = $4)
    OR EXISTS (SELECT FROM heliograph.parked WHERE site_id = $1 AND hub = $2 AND batch = $4) AS has_previous,
    EXISTS (SELECT FROM heliograph.contact WHERE site_id = $1 AND hub = $2
      AND $3 = ANY (spooled) AND $4 <> ALL (spooled)) AS is_forgotten,
    EXISTS (SELECT FROM heliograph.contact WHERE site_id = $1 AND hub = $2 AND $4 = ANY (spooled)) AS is_promised`;
const WAIT = `
  UPDATE heliograph.part SET waits_for = $4, complete_at = clock_timestamp()
  WHERE site_id = $1 AND hub = $2 AND batch = $3`;
const FREED = `
  SELECT batch FROM heliograph.part WHERE site_id = $1 AND hub = $2 AND waits_for = $3 AND have = total`;
const STORE = `
  WITH kept AS (INSERT INTO heliograph.batch (site_id, hub, batch, bytes) VALUES ($1, $2, $3, $6)),
    counted AS (UPDATE heliograph.hub_key SET batches = batches + 1, ops = ops + $8, bytes = bytes + length($6),
      last_batch_at = now() WHERE site_id = $1 AND hub = $2)
  INSERT INTO heliograph.receipt (site_id, hub, batch, class, ops, bytes, receipt)
  VALUES ($1, $2, $3, $4, $5, length($6), $7)`;
const PARK = `
  INSERT INTO heliograph.parked (site_id, hub, batch, class, reason, bytes) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (site_id, hub, batch) DO NOTHING`;
const PRUNE_PARKED = `
  DELETE FROM heliograph.parked WHERE site_id = $1 AND (hub, batch) IN (
    SELECT hub, batch FROM heliograph.parked WHERE site_id = $1 ORDER BY parked_at DESC OFFSET $2)`;

export interface ClaimPlace {
  readonly database: Database;
  readonly siteId: number;
  readonly keys: KeyBook;
  readonly partitions: Partitions;
  readonly retention: RetentionClock;
  readonly contents: PgContents;
  readonly receiptFor: ReceiptFor;
  readonly limits: RegionalLimits;
  readonly pause: () => Promise<void>;
}

/** Takes the batch, or is undefined where it is not complete or in other hands. */
export async function claimBatch(
  place: ClaimPlace,
  hub: Origin,
  id: BatchId,
): Promise<Claim | undefined> {
  const sql = await place.database.begin();
  try {
    const name = [place.siteId, hub, id];
    const [row] = await sql.query(TAKE, name);
    if (row === undefined) {
      await sql.rollback();
      return undefined;
    }
    const rows = await sql.query(CHUNKS, name);
    const bytes = concatBytes(rows.map(({ data }) => data as Uint8Array));
    const publicKey = row['public_key'] as Uint8Array;
    return new PgClaim(
      place,
      sql,
      { hub, id, bytes, publicKey, chunks: row['total'] as number },
      row['has_waited'] === true,
    );
  } catch (error) {
    await sql.rollback();
    throw error;
  }
}

/** Keeps a batch and its receipt, and counts it for its hub. */
export async function storeBatch(
  sql: Sql,
  siteId: number,
  { id, bytes }: Pick<SealedBatch, 'id' | 'bytes'>,
  { hub, class: opClass, ops }: Manifest,
  receipt: Uint8Array,
): Promise<void> {
  await sql.query(STORE, [siteId, hub, id, opClass, ops, bytes, receipt, ops]);
}

interface Claimed {
  readonly hub: Origin;
  readonly id: BatchId;
  readonly bytes: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly chunks: number;
}

class PgClaim implements Claim {
  readonly bytes: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly #place: ClaimPlace;
  readonly #sql: Transaction;
  readonly #claimed: Claimed;
  readonly #hasWaited: boolean;

  constructor(place: ClaimPlace, sql: Transaction, claimed: Claimed, hasWaited: boolean) {
    this.#place = place;
    this.#sql = sql;
    this.#claimed = claimed;
    this.#hasWaited = hasWaited;
    this.bytes = claimed.bytes;
    this.publicKey = claimed.publicKey;
  }

  async keep(opened: OpenedBatch): Promise<KeepOutcome> {
    const { manifest, entries } = opened;
    const { siteId, keys, partitions, retention } = this.#place;
    const { hub, id } = this.#claimed;
    const sql = this.#sql;
    const idByKey = await keys.idsOf(sql, new Set(entries.map(({ op }) => op.key)));
    await keys.makeLanes(sql, lanesOf(entries));
    retention.note(manifest);
    await partitions.makeFor(entries);
    await sql.query(LOCK_HUB, [String(siteId), hub]);
    const { previous } = manifest;
    const [known] = await sql.query(KNOWN, [siteId, hub, id, previous ?? '']);
    const isLoose = previous !== undefined && known?.['has_previous'] !== true;
    const earlier = known?.['receipt'] as Uint8Array | null;
    if (earlier !== null) return this.#repeat(earlier, manifest);
    // The hub has this one and not the one before it: that was receipted, and this database has lost it.
    const isForgotten = known?.['is_forgotten'] === true;
    // The hub has said that it still has the one before: it will come, however long that takes.
    const isPromised = known?.['is_promised'] === true;
    if (isLoose && !isForgotten && (isPromised || !this.#hasWaited)) {
      await sql.query(WAIT, [siteId, hub, id, previous]);
      await sql.commit();
      return { kind: 'later' };
    }
    const { history, head } = await this.#compare(opened);
    if (history === 'forked') return { kind: 'forked', known: head.size };
    await foldBatch(sql, { siteId, idByKey, via: hub }, entries);
    const facts = { history, head, isLoose };
    const receipt = this.#place.receiptFor(id, manifest, facts);
    await storeBatch(sql, siteId, this.#claimed, manifest, receipt);
    const freed = await this.#finish();
    this.#place.contents.checkSoon(siteId, contentsIn(entries).values());
    return { kind: 'kept', receipt, facts, freed, pruned: 0 };
  }

  async park(opClass: OpClass, reason: string, bytes: Uint8Array): Promise<BatchId[]> {
    const { siteId, limits } = this.#place;
    const { hub, id } = this.#claimed;
    await this.#sql.query(PARK, [siteId, hub, id, opClass, reason, bytes]);
    await this.#sql.query(PRUNE_PARKED, [siteId, limits.parkedMax]);
    return this.#finish();
  }

  async drop(): Promise<number> {
    await this.#finish();
    return this.#claimed.chunks;
  }

  release(): Promise<void> {
    return this.#sql.rollback();
  }

  /** A hub's history against what it told before. */
  async #compare({
    manifest,
    leaves,
  }: OpenedBatch): Promise<{ history: HistoryOutcome; head: { size: number; root: Uint8Array } }> {
    const { siteId, pause } = this.#place;
    const tree = await loadTree(this.#sql, siteId, manifest);
    const before = { size: tree.size, root: tree.root() };
    const history = await compareHistory(tree, manifest, leaves, pause);
    if (history !== 'agrees') return { history, head: before };
    if (tree.size > before.size) await saveTree(this.#sql, siteId, manifest, tree, before.size);
    return { history, head: { size: tree.size, root: tree.root() } };
  }

  /** It was stored while its chunks came once more. */
  async #repeat(receipt: Uint8Array, manifest: Manifest): Promise<KeepOutcome> {
    const tree = await loadTree(this.#sql, this.#place.siteId, manifest);
    const head = { size: tree.size, root: tree.root() };
    const facts = { history: 'untold', head, isLoose: false } as const;
    return { kind: 'kept', receipt, facts, freed: await this.#finish(), pruned: 0 };
  }

  async #finish(): Promise<BatchId[]> {
    const name = [this.#place.siteId, this.#claimed.hub, this.#claimed.id];
    await this.#sql.query(DROP_CHUNKS, name);
    await this.#sql.query(DROP_PART, name);
    await this.#sql.commit();
    const rows = await this.#place.database.query(FREED, name);
    return rows.map(({ batch }) => batch as BatchId);
  }
}
