/** Numbers of a site's keys and lanes: made once, never changed, and so remembered by every worker. */
import { textOf, utf8 } from '../../base/bytes.ts';
import type { Lane } from '../../model/origin.ts';
import type { Database } from '../../platform/network/postgres.ts';
import { byteaArray, textArray } from './binary-arrays.ts';

/** Names that are remembered; beyond, all are forgotten and asked for again. */
const REMEMBERED_MAX = 100_000;

const MAKE_KEYS = `
  INSERT INTO heliograph.key (site_id, name, label)
  SELECT $1, n, l FROM unnest($2::bytea[], $3::text[]) AS t (n, l) ORDER BY n ON CONFLICT DO NOTHING`;
const FIND_KEYS = `
  SELECT id, name FROM heliograph.key WHERE site_id = $1 AND name = ANY ($2::bytea[])`;
const MAKE_LANES = `
  INSERT INTO heliograph.lane (site_id, lane)
  SELECT $1, l FROM unnest($2::text[]) AS t (l) ORDER BY l ON CONFLICT DO NOTHING`;

export class KeyBook {
  readonly #database: Database;
  readonly #siteId: number;
  readonly #ids = new Map<string, number>();
  readonly #lanes = new Set<Lane>();

  constructor(database: Database, siteId: number) {
    this.#database = database;
    this.#siteId = siteId;
  }

  /** Numbers of the keys; makes those that there are not, outside of any transaction that folds. */
  async idsOf(names: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
    const unknown = [...names].filter((name) => !this.#ids.has(name));
    if (this.#ids.size + unknown.length > REMEMBERED_MAX) {
      this.#ids.clear();
      if (unknown.length < names.size) return this.idsOf(names);
    }
    if (unknown.length > 0) {
      const encoded = byteaArray(unknown.map((name) => utf8(name)));
      await this.#database.query(MAKE_KEYS, [
        this.#siteId,
        encoded,
        textArray(unknown.map((name) => labelOf(name))),
      ]);
      for (const { id, name } of await this.#database.query(FIND_KEYS, [this.#siteId, encoded])) {
        this.#ids.set(textOf(name as Uint8Array) ?? '', id as number);
      }
    }
    return this.#ids;
  }

  /** Sees to it that the lanes have their rows. */
  async makeLanes(lanes: readonly Lane[]): Promise<void> {
    const unknown = lanes.filter((lane) => !this.#lanes.has(lane));
    if (unknown.length === 0) return;
    await this.#database.query(MAKE_LANES, [this.#siteId, textArray(unknown)]);
    if (this.#lanes.size > REMEMBERED_MAX) this.#lanes.clear();
    for (const lane of unknown) this.#lanes.add(lane);
  }
}

/** A name as PostgreSQL's text can hold it. */
export function labelOf(name: string): string {
  return name.replaceAll('\0', '\u2400');
}
