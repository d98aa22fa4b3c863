/**
 * Brings the batches that a database of an earlier schema keeps into the table of the ops that flow down: without them
 * each lane would begin with a gap, and nothing of it would reach a hub. Done once a site, by the worker that opens it first.
 */
import { DOWN_CLASSES } from '../../../batch/down-messages.ts';
import type { BatchId } from '../../../batch/batch-id.ts';
import type { Lane, Origin } from '../../../model/origin.ts';
import { laneOf } from '../../../model/origin.ts';
import type { Database, Sql } from '../../../platform/network/postgres.ts';
import type { SiteKeeper } from '../../site-storage.ts';
import { int2Array, textArray } from '../binary-arrays.ts';
import { lanesOf } from '../fold-batch.ts';
import { putSiteOps } from './site-ops.ts';

const IS_FILLED = 'SELECT ops_kept FROM heliograph.site WHERE id = $1';
const LOCK_SITE = 'SELECT ops_kept FROM heliograph.site WHERE id = $1 FOR NO KEY UPDATE';
const FILLED = 'UPDATE heliograph.site SET ops_kept = true WHERE id = $1';
const BATCHES = `
  SELECT r.hub, r.batch, k.public_key FROM heliograph.receipt r
  JOIN heliograph.hub_key k ON k.site_id = r.site_id AND k.hub = r.hub
  WHERE r.site_id = $1 AND r.class = ANY ($2::int2[]) ORDER BY r.number`;
const BYTES = 'SELECT bytes FROM heliograph.batch WHERE site_id = $1 AND hub = $2 AND batch = $3';
const LANES = 'SELECT id, lane FROM heliograph.lane WHERE site_id = $1 AND lane = ANY ($2::text[])';

export async function fillSiteOps(
  database: Database,
  siteId: number,
  { reopen }: Pick<SiteKeeper, 'reopen'>,
): Promise<void> {
  const [site] = await database.query(IS_FILLED, [siteId]);
  if (site?.['ops_kept'] === true) return;
  await database.transaction(async (sql) => {
    const [locked] = await sql.query(LOCK_SITE, [siteId]);
    if (locked?.['ops_kept'] === true) return;
    for (const row of await sql.query(BATCHES, [siteId, int2Array(DOWN_CLASSES)])) {
      const [hub, id] = [row['hub'] as Origin, row['batch'] as BatchId];
      const [kept] = await sql.query(BYTES, [siteId, hub, id]);
      if (kept === undefined) continue;
      const publicKey = row['public_key'] as Uint8Array;
      const outcome = await reopen(hub, id, kept['bytes'] as Uint8Array, publicKey);
      // One that cannot be opened any more, as its key is gone, stays a gap.
      if (outcome.kind !== 'batch') continue;
      const { entries } = outcome;
      const ids = await laneIds(sql, siteId, lanesOf(entries));
      const ops = entries.flatMap((stamped) => {
        const laneId = ids.get(laneOf(stamped.op.origin, stamped.op.class));
        return laneId === undefined ? [] : [{ laneId, stamped }];
      });
      await putSiteOps(sql, hub, ops);
    }
    await sql.query(FILLED, [siteId]);
  });
}

async function laneIds(
  sql: Sql,
  siteId: number,
  lanes: readonly Lane[],
): Promise<Map<Lane, number>> {
  const rows = await sql.query(LANES, [siteId, textArray(lanes)]);
  return new Map(rows.map((row) => [row['lane'] as Lane, row['id'] as number]));
}
