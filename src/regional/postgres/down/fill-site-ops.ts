/**
 * Brings the batches that a database of an earlier schema keeps into the table of the ops that flow down: without them
 * each lane would begin with a gap, and nothing of it would reach a hub.
 */
import { DOWN_CLASSES } from '../../../batch/wire/down-messages.ts';
import { type Lane, laneOf } from '../../../model/origin.ts';
import type { Sql } from '../../../platform/network/postgres.ts';
import { textArray } from '../binary-arrays.ts';
import { lanesOf } from '../folding/fold-batch.ts';
import type { Filling } from '../kept-batches.ts';
import { putSiteOps } from './site-ops.ts';

const LANES = 'SELECT id, lane FROM heliograph.lane WHERE site_id = $1 AND lane = ANY ($2::text[])';

export function siteOpsFilling(siteId: number): Filling {
  return {
    flag: 'ops_kept',
    classes: DOWN_CLASSES,
    take: async (sql, via, entries) => {
      const ids = await laneIds(sql, siteId, lanesOf(entries));
      const ops = entries.flatMap((stamped) => {
        const laneId = ids.get(laneOf(stamped.op.origin, stamped.op.class));
        return laneId === undefined ? [] : [{ laneId, stamped }];
      });
      await putSiteOps(sql, via, ops);
    },
  };
}

async function laneIds(
  sql: Sql,
  siteId: number,
  lanes: readonly Lane[],
): Promise<Map<Lane, number>> {
  const rows = await sql.query(LANES, [siteId, textArray(lanes)]);
  return new Map(rows.map((row) => [row['lane'] as Lane, row['id'] as number]));
}
