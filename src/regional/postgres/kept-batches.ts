/**
 * Opens the batches that a database of an earlier schema keeps, for tables that came later. Done once a site and table, by the
 * worker that opens the site first; the others wait for it.
 */
import type { BatchId } from '../../batch/batch-id.ts';
import type { OpClass } from '../../model/class.ts';
import type { StampedOp } from '../../model/op.ts';
import type { Origin } from '../../model/origin.ts';
import type { Database, Sql } from '../../platform/network/postgres.ts';
import type { SiteKeeper } from '../site-storage.ts';
import { int2Array } from './binary-arrays.ts';

/** A column of the table `site` that says that it was done. */
type FilledFlag = 'ops_kept' | 'contents_kept';

export interface Filling {
  readonly flag: FilledFlag;
  readonly classes: readonly OpClass[];
  /** Takes what a batch holds, in the order in which batches were kept. */
  readonly take: (sql: Sql, via: Origin, entries: readonly StampedOp[]) => Promise<void>;
  /** Told when what was taken is there for all. */
  readonly committed?: () => void;
}

const BATCHES = `
  SELECT r.hub, r.batch, k.public_key FROM heliograph.receipt r
  JOIN heliograph.hub_key k ON k.site_id = r.site_id AND k.hub = r.hub
  WHERE r.site_id = $1 AND r.class = ANY ($2::int2[]) ORDER BY r.number`;
const BYTES = 'SELECT bytes FROM heliograph.batch WHERE site_id = $1 AND hub = $2 AND batch = $3';

export async function fillFromBatches(
  database: Database,
  siteId: number,
  { reopen }: Pick<SiteKeeper, 'reopen'>,
  { flag, classes, take, committed }: Filling,
): Promise<void> {
  const isFilled = `SELECT ${flag} AS is_filled FROM heliograph.site WHERE id = $1`;
  const [site] = await database.query(isFilled, [siteId]);
  if (site?.['is_filled'] === true) return;
  await database.transaction(async (sql) => {
    const [locked] = await sql.query(`${isFilled} FOR NO KEY UPDATE`, [siteId]);
    if (locked?.['is_filled'] === true) return;
    for (const row of await sql.query(BATCHES, [siteId, int2Array(classes)])) {
      const [hub, id] = [row['hub'] as Origin, row['batch'] as BatchId];
      const [kept] = await sql.query(BYTES, [siteId, hub, id]);
      if (kept === undefined) continue;
      const publicKey = row['public_key'] as Uint8Array;
      const outcome = await reopen(hub, id, kept['bytes'] as Uint8Array, publicKey);
      // One that cannot be opened any more, as its key is gone, stays a gap.
      if (outcome.kind === 'batch') await take(sql, hub, outcome.entries);
    }
    await sql.query(`UPDATE heliograph.site SET ${flag} = true WHERE id = $1`, [siteId]);
  });
  committed?.();
}
