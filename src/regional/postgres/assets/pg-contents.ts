/**
 * Contents of assets in PostgreSQL, which any worker serves. Read cell by cell: of a content, however large, some hundred KiB
 * are in memory at a time.
 *
 * A content counts as whole when its hash was right, which the worker that brought its last piece looks after, behind the
 * receipt; where that one died, the first reader does. Cells of which the hash is wrong go.
 */
import { createHash } from 'node:crypto';

import { hexOf, textOf } from '../../../base/bytes.ts';
import { HubError } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import { readAssetVersion } from '../../../merge/asset/asset-version.ts';
import { GRID_BYTES } from '../../../model/asset-bytes.ts';
import { ASSET } from '../../../model/op.ts';
import type { Origin } from '../../../model/origin.ts';
import type { Database, PgRow, Sql } from '../../../platform/network/postgres.ts';
import { NAMED_HASH } from './asset-tables.ts';
import { cellCount, type GatheredContent, hashBytes } from './content-cells.ts';

/** What a version says of a content, and what is here of it. */
interface PgContentFacts {
  readonly key: string;
  readonly type: string;
  readonly size: number;
  readonly state: 'whole' | 'partial' | 'missing';
  readonly receivedBytes: number;
}

/** A content that is open for reading. */
interface PgContent {
  readonly size: number;
  /** Fills `into` from `offset`; fewer bytes at the end alone. */
  readAt(into: Uint8Array, offset: number): Promise<number>;
}

interface PgPreview {
  readonly type: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8Array;
}

interface Place extends GatheredContent {
  readonly siteId: number;
}

const VERSION = `
  SELECT k.name, w.body FROM heliograph.record_write w JOIN heliograph.key k ON k.id = w.key_id
  WHERE w.kind = ${ASSET} AND ${NAMED_HASH} = $1 LIMIT 1`;
const WHOLE = 'SELECT site_id, size, origin FROM heliograph.content WHERE sha256 = $1 LIMIT 1';
const GATHERED = `
  SELECT site_id, size, origin, count(*) AS cells, sum(octet_length(data)) AS bytes FROM heliograph.content_cell
  WHERE sha256 = $1 GROUP BY site_id, size, origin ORDER BY bytes DESC LIMIT 8`;
const CELLS = `
  SELECT cell, data FROM heliograph.content_cell
  WHERE sha256 = $1 AND site_id = $2 AND size = $3 AND origin = $4 AND cell BETWEEN $5 AND $6 ORDER BY cell`;
const COUNT = `
  SELECT count(*) AS cells FROM heliograph.content_cell WHERE sha256 = $1 AND site_id = $2 AND size = $3 AND origin = $4`;
const MARK = `
  INSERT INTO heliograph.content (sha256, site_id, size, origin) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`;
/** Whoever was first is the content; what others sent of it is of no use any more. */
const DROP_OTHERS = `
  DELETE FROM heliograph.content_cell c USING heliograph.content w
  WHERE w.sha256 = $1 AND w.site_id = $2 AND c.sha256 = w.sha256 AND c.site_id = w.site_id
  AND (c.size, c.origin) IS DISTINCT FROM (w.size, w.origin)`;
const DROP = `
  DELETE FROM heliograph.content_cell c WHERE c.sha256 = $1 AND c.site_id = $2 AND c.size = $3 AND c.origin = $4
  AND NOT EXISTS (SELECT FROM heliograph.content w
    WHERE w.sha256 = c.sha256 AND w.site_id = c.site_id AND w.size = c.size AND w.origin = c.origin)`;
const PREVIEW =
  'SELECT type, width, height, data FROM heliograph.preview WHERE sha256 = $1 LIMIT 1';
/** Cells of one answer: 256 KiB, which arrive as text twice as long. */
const CELLS_AT_ONCE = 4;

export class PgContents {
  readonly #database: Database;
  readonly #log: Log;
  #checking: Promise<void> = Promise.resolve();

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  /** Undefined where no version names it. */
  async facts(sha256: string): Promise<PgContentFacts | undefined> {
    const hash = hashBytes(sha256);
    const [row] = await this.#database.query(VERSION, [hash]);
    const named = row === undefined ? undefined : readAssetVersion(row['body'] as Uint8Array);
    if (row === undefined || named === undefined) return undefined;
    const { type, size } = named;
    const version = { key: textOf(row['name'] as Uint8Array) ?? '', type, size };
    const [whole] = await this.#database.query(WHOLE, [hash]);
    if (whole !== undefined) return { ...version, state: 'whole', receivedBytes: size };
    const [most] = await this.#database.query(GATHERED, [hash]);
    const receivedBytes = Number(most?.['bytes'] ?? 0);
    return { ...version, state: receivedBytes > 0 ? 'partial' : 'missing', receivedBytes };
  }

  /** Undefined where it is not whole. */
  async open(sha256: string): Promise<PgContent | undefined> {
    const place = (await this.#whole(sha256)) ?? (await this.#wholeNow(sha256));
    if (place === undefined) return undefined;
    return {
      size: place.size,
      readAt: (into, offset) => readCells(this.#database, place, into, offset),
    };
  }

  async preview(sha256: string): Promise<PgPreview | undefined> {
    const [row] = await this.#database.query(PREVIEW, [hashBytes(sha256)]);
    if (row === undefined) return undefined;
    const [width, height] = [row['width'] as number, row['height'] as number];
    return { type: row['type'] as string, width, height, bytes: row['data'] as Uint8Array };
  }

  /** Looks after contents of which pieces have come, one after the other, behind what the caller does. */
  checkSoon(siteId: number, gathered: Iterable<GatheredContent>): void {
    for (const content of gathered) {
      this.#checking = this.#checking.then(() => this.#checkQuietly({ ...content, siteId }));
    }
  }

  /** Resolves when what was to be checked is. */
  idle(): Promise<void> {
    return this.#checking;
  }

  async #whole(sha256: string): Promise<Place | undefined> {
    const [row] = await this.#database.query(WHOLE, [hashBytes(sha256)]);
    return row === undefined ? undefined : placeOf(sha256, row);
  }

  /** A worker died between the receipt and the check. */
  async #wholeNow(sha256: string): Promise<Place | undefined> {
    for (const row of await this.#database.query(GATHERED, [hashBytes(sha256)])) {
      const place = placeOf(sha256, row);
      if (Number(row['cells']) < cellCount(place.size)) continue;
      if (await this.#check(place)) return this.#whole(sha256);
    }
    return undefined;
  }

  async #checkQuietly(place: Place): Promise<void> {
    try {
      const [row] = await this.#database.query(COUNT, valuesOf(place));
      if (Number(row?.['cells']) === cellCount(place.size)) await this.#check(place);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      const { sha256 } = place;
      this.#log.warn('regional.content.unchecked', { content: sha256, reason: error.message });
    }
  }

  /** Hashes a content that has all its cells; false where they are not what they were called. */
  async #check(place: Place): Promise<boolean> {
    const { sha256, size, origin } = place;
    const hash = createHash('sha256');
    const into = new Uint8Array(CELLS_AT_ONCE * GRID_BYTES);
    for (let offset = 0; offset < size;) {
      const count = await readCells(this.#database, place, into, offset);
      if (count === 0) return false; // Another worker was first, and dropped them.
      hash.update(into.subarray(0, count));
      offset += count;
    }
    const values = valuesOf(place);
    const found = hexOf(hash.digest());
    if (found !== sha256) {
      this.#log.warn('assets.pieces-wrong', { content: sha256, origin, found });
      await this.#database.query(DROP, values);
      return false;
    }
    await this.#database.transaction(async (sql) => {
      await sql.query(MARK, values);
      await sql.query(DROP_OTHERS, values.slice(0, 2));
    });
    return true;
  }
}

function placeOf(sha256: string, row: PgRow): Place {
  const [siteId, size] = [row['site_id'] as number, row['size'] as number];
  return { sha256, siteId, size, origin: row['origin'] as Origin };
}

function valuesOf({ sha256, siteId, size, origin }: Place): [Uint8Array, number, number, Origin] {
  return [hashBytes(sha256), siteId, size, origin];
}

async function readCells(
  sql: Sql,
  place: Place,
  into: Uint8Array,
  offset: number,
): Promise<number> {
  const end = Math.min(place.size, offset + into.length);
  let at = offset;
  while (at < end) {
    const first = Math.floor(at / GRID_BYTES);
    const last = Math.min(first + CELLS_AT_ONCE, cellCount(end)) - 1;
    const rows = await sql.query(CELLS, [...valuesOf(place), first, last]);
    for (const row of rows) {
      const from = (row['cell'] as number) * GRID_BYTES;
      if (from > at) return at - offset; // A cell is missing.
      const bytes = (row['data'] as Uint8Array).subarray(at - from, end - from);
      into.set(bytes, at - offset);
      at += bytes.length;
    }
    if (rows.length < last - first + 1) break;
  }
  return at - offset;
}
