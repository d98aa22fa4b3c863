/**
 * The way down from a site in PostgreSQL. The region's own ops are numbered under the lock of the site's row: of two
 * workers that write at once the second goes on where the first one ended, or, where that one died, where it had begun.
 */
import { EMPTY_BYTES } from '../../../base/bytes.ts';
import { OneAtATime } from '../../../base/queue.ts';
import { type Lane, laneOf, type Origin } from '../../../model/origin.ts';
import { compareHlc, type Hlc } from '../../../model/hlc.ts';
import { seqIn, type VersionVector } from '../../../model/version-vector.ts';
import type { Sql } from '../../../platform/network/postgres.ts';
import type { Authoring, DownOps, DownQuery, DownSource } from '../../downlink/down-source.ts';
import { foldBatch } from '../folding/fold-batch.ts';
import { type ClaimPlace, storeBatch } from '../pg-claim.ts';
import { PgReceivers } from './pg-receivers.ts';
import { countFor, nextFor, stampedOf } from './site-ops.ts';

const INCARNATION = 'SELECT incarnation FROM heliograph.site WHERE id = $1';
const BEGIN = 'UPDATE heliograph.site SET incarnation = greatest(incarnation, $2) WHERE id = $1';
const LOCK_SITE = 'SELECT incarnation FROM heliograph.site WHERE id = $1 FOR NO KEY UPDATE';
const KNOWN =
  "SELECT lane, up_to FROM heliograph.lane WHERE site_id = $1 AND lane LIKE $2 || '/%' AND up_to > 0";
const NEWEST = `
  SELECT o.op, o.stamp FROM heliograph.lane l CROSS JOIN LATERAL (
    SELECT op, stamp FROM heliograph.site_op WHERE lane_id = l.id ORDER BY seq DESC LIMIT 1) o
  WHERE l.site_id = $1 AND l.lane LIKE $2 || '/%'`;

export class PgDownSource implements DownSource {
  readonly #place: ClaimPlace;
  readonly receivers: PgReceivers;
  /** Here one op after the other: those that wait for the lock of the site would each hold a connection. */
  readonly #authoring = new OneAtATime();

  constructor(place: ClaimPlace) {
    this.#place = place;
    this.receivers = new PgReceivers(place.database, place.siteId);
  }

  waiting(query: DownQuery): Promise<number> {
    return countFor(this.#place.database, this.#place.siteId, query);
  }

  next(query: DownQuery): Promise<DownOps | undefined> {
    return nextFor(this.#place.database, this.#place.siteId, query);
  }

  known(origin: Origin): Promise<VersionVector> {
    return this.#known(this.#place.database, origin);
  }

  async incarnation(): Promise<number> {
    const [row] = await this.#place.database.query(INCARNATION, [this.#place.siteId]);
    return row?.['incarnation'] as number;
  }

  async beginIncarnation(number: number): Promise<void> {
    await this.#place.database.query(BEGIN, [this.#place.siteId, number]);
  }

  author(authoring: Authoring): Promise<void> {
    return this.#authoring.do(() => this.#author(authoring));
  }

  async #author({ class: opClass, originOf, make }: Authoring): Promise<void> {
    const { database, siteId, keys, partitions, receiptFor } = this.#place;
    await database.transaction(async (sql) => {
      const [site] = await sql.query(LOCK_SITE, [siteId]);
      const origin = originOf(site?.['incarnation'] as number);
      const seq = seqIn(await this.#known(sql, origin), laneOf(origin, opClass)) + 1;
      const { region, sealed, entries } = await make({
        origin,
        seq,
        newest: await newestOf(sql, siteId, origin),
      });
      const { id, manifest } = sealed;
      const idByKey = await keys.idsOf(sql, new Set(entries.map(({ op }) => op.key)));
      await keys.makeLanes(sql, [laneOf(origin, opClass)]);
      await partitions.makeFor(entries);
      await foldBatch(sql, { siteId, idByKey, via: region }, entries);
      const head = { size: 0, root: EMPTY_BYTES };
      const receipt = receiptFor(id, manifest, { history: 'untold', head, isLoose: false });
      await storeBatch(sql, siteId, sealed, manifest, receipt);
    });
  }

  async #known(sql: Sql, origin: Origin): Promise<VersionVector> {
    const rows = await sql.query(KNOWN, [this.#place.siteId, origin]);
    return new Map(rows.map((row) => [row['lane'] as Lane, Number(row['up_to'])]));
  }
}

/** The latest moment in the region's own ops at the site. */
async function newestOf(sql: Sql, siteId: number, origin: Origin): Promise<Hlc | undefined> {
  const rows = await sql.query(NEWEST, [siteId, origin]);
  const stamped = rows.map((row) => stampedOf(row['op'] as Uint8Array, row['stamp'] as Uint8Array));
  const moments = stamped.map(({ op }) => op.hlc);
  return moments.toSorted(compareHlc).at(-1);
}
