/**
 * Numbers of a site's keys and lanes. They are looked for with every batch, in its transaction, and never remembered: a database
 * that is restored from a backup, or fails over to a standby that was behind, gives numbers that a worker knows to other names.
 *
 * What there is not yet is made outside of that transaction: others need not wait for its end.
 */
import { textOf, utf8 } from '../../base/bytes.ts';
import type { Lane } from '../../model/origin.ts';
import type { Database, Sql } from '../../platform/network/postgres.ts';
import { byteaArray, textArray } from './binary-arrays.ts';

const MAKE_KEYS = `
  INSERT INTO heliograph.key (site_id, name, label)
  SELECT $1, n, l FROM unnest($2::bytea[], $3::text[]) AS t (n, l) ORDER BY n ON CONFLICT DO NOTHING`;
const FIND_KEYS = `
  SELECT id, name FROM heliograph.key WHERE site_id = $1 AND name = ANY ($2::bytea[])`;
const MAKE_LANES = `
  INSERT INTO heliograph.lane (site_id, lane)
  SELECT $1, l FROM unnest($2::text[]) AS t (l) ORDER BY l ON CONFLICT DO NOTHING`;
const FIND_LANES =
  'SELECT lane FROM heliograph.lane WHERE site_id = $1 AND lane = ANY ($2::text[])';

export class KeyBook {
  readonly #database: Database;
  readonly #siteId: number;

  constructor(database: Database, siteId: number) {
    this.#database = database;
    this.#siteId = siteId;
  }

  /** Numbers of the keys, as the transaction sees them; makes those that there are not. */
  async idsOf(sql: Sql, names: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
    const ids = await this.#find(sql, [...names]);
    const unknown = [...names].filter((name) => !ids.has(name));
    if (unknown.length === 0) return ids;
    const encoded = byteaArray(unknown.map((name) => utf8(name)));
    const labels = textArray(unknown.map((name) => labelOf(name)));
    await this.#database.query(MAKE_KEYS, [this.#siteId, encoded, labels]);
    return new Map([...ids, ...(await this.#find(sql, unknown))]);
  }

  /** Sees to it that the lanes have their rows. */
  async makeLanes(sql: Sql, lanes: readonly Lane[]): Promise<void> {
    const rows = await sql.query(FIND_LANES, [this.#siteId, textArray(lanes)]);
    const known = new Set(rows.map(({ lane }) => lane));
    const unknown = lanes.filter((lane) => !known.has(lane));
    if (unknown.length === 0) return;
    await this.#database.query(MAKE_LANES, [this.#siteId, textArray(unknown)]);
  }

  async #find(sql: Sql, names: readonly string[]): Promise<Map<string, number>> {
    const encoded = byteaArray(names.map((name) => utf8(name)));
    const rows = await sql.query(FIND_KEYS, [this.#siteId, encoded]);
    return new Map(rows.map(({ id, name }) => [textOf(name as Uint8Array) ?? '', id as number]));
  }
}

/** A name as PostgreSQL's text can hold it. */
export function labelOf(name: string): string {
  return name.replaceAll('\0', '\u2400');
}
