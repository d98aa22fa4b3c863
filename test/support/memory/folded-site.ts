/** A site of a PostgreSQL database into which ops are folded without a batch around them. */
import type { StampedOp } from '../../../src/model/op.ts';
import type { Database } from '../../../src/platform/network/postgres.ts';
import { foldBatch, lanesOf } from '../../../src/regional/postgres/folding/fold-batch.ts';
import { KeyBook } from '../../../src/regional/postgres/key-book.ts';
import { HUB_ID } from '../made/batches.ts';

/** Makes the site and returns its number. */
export async function makeSite(database: Database, name: string): Promise<number> {
  const made = 'INSERT INTO heliograph.site (name) VALUES ($1) RETURNING id';
  return (await database.query(made, [name]))[0]?.['id'] as number;
}

/** Folds as a worker does. */
export function folderInto(
  database: Database,
  siteId: number,
): (ops: readonly StampedOp[]) => Promise<void> {
  const keys = new KeyBook(database, siteId);
  return (ops) =>
    database.transaction(async (sql) => {
      const idByKey = await keys.idsOf(sql, new Set(ops.map(({ op }) => op.key)));
      await keys.makeLanes(sql, lanesOf(ops));
      await foldBatch(sql, { siteId, idByKey, via: HUB_ID }, ops);
    });
}
