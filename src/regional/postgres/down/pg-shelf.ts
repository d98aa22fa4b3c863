/** The batches that a site keeps in PostgreSQL, for healing. */
import { BATCH_HEAD_BYTES } from '../../../batch/limits.ts';
import type { BatchId } from '../../../batch/batch-id.ts';
import type { OpClass } from '../../../model/class.ts';
import type { StampedOp } from '../../../model/op.ts';
import type { Origin } from '../../../model/origin.ts';
import type { Database } from '../../../platform/network/postgres.ts';
import type { Shelf, ShelvedBatch } from '../../healing/shelf.ts';
import type { SiteKeeper } from '../../site-storage.ts';
import { int2Array } from '../binary-arrays.ts';

const LIST = `
  SELECT batch, hub, class FROM heliograph.receipt WHERE site_id = $1 AND class = ANY ($2::int2[]) ORDER BY number`;
const HEAD = `
  SELECT substring(bytes FROM 1 FOR $4) AS bytes FROM heliograph.batch WHERE site_id = $1 AND hub = $2 AND batch = $3`;
/** Under the key of its hub; of what is no hub's, under that of the region, which is the one that has made it. */
const WHOLE = `
  SELECT b.bytes, coalesce(k.public_key, (SELECT public_key FROM heliograph.node)) AS public_key
  FROM heliograph.batch b LEFT JOIN heliograph.hub_key k ON k.site_id = b.site_id AND k.hub = b.hub
  WHERE b.site_id = $1 AND b.hub = $2 AND b.batch = $3`;

export class PgShelf implements Shelf {
  readonly #database: Database;
  readonly #siteId: number;
  readonly #reopen: SiteKeeper['reopen'];

  constructor(database: Database, siteId: number, reopen: SiteKeeper['reopen']) {
    this.#database = database;
    this.#siteId = siteId;
    this.#reopen = reopen;
  }

  async list(classes: readonly OpClass[]): Promise<readonly ShelvedBatch[]> {
    const rows = await this.#database.query(LIST, [this.#siteId, int2Array(classes)]);
    return rows.map((row) => ({
      id: row['batch'] as BatchId,
      hub: row['hub'] as Origin,
      class: row['class'] as OpClass,
    }));
  }

  async head({ id, hub }: ShelvedBatch): Promise<Uint8Array | undefined> {
    const [row] = await this.#database.query(HEAD, [this.#siteId, hub, id, BATCH_HEAD_BYTES]);
    return row?.['bytes'] as Uint8Array | undefined;
  }

  async open({ id, hub }: ShelvedBatch): Promise<readonly StampedOp[]> {
    const [row] = await this.#database.query(WHOLE, [this.#siteId, hub, id]);
    if (row === undefined) return [];
    const [bytes, key] = [row['bytes'] as Uint8Array, row['public_key'] as Uint8Array];
    const outcome = await this.#reopen(hub, id, bytes, key);
    return outcome.kind === 'batch' ? outcome.entries : [];
  }
}
