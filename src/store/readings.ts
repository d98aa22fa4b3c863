/**
 * Events over time: every captured payload with its moment, for a number of days and within a number of
 * bytes. History, not state: it is outside the digest, and a rebuilt store has as much of it as the journal.
 *
 * Rows are appended, with one index by (key, moment). Clustering them by key would read faster and write
 * four times slower, because each batch touches as many pages as there are keys. Queries come in pages of
 * bounded work, since they run on the event loop.
 */
import { type KeyIds } from './key-ids.ts';
import type { SqliteFile, SqlRow } from './sqlite.ts';
import { addToSummary, numbersIn, type Summary } from './summary.ts';

export interface ReadingsQuery {
  readonly key: string;
  /** From this moment, inclusive. */
  readonly fromMs: number;
  /** Up to this moment, exclusive. */
  readonly toMs: number;
  /** Width of a bucket; 0 or absent: every reading by itself. */
  readonly stepMs?: number;
}

export interface ReadingPoint {
  /** Moment of the reading, or start of its bucket (a multiple of the step). */
  readonly atMs: number;
  readonly count: number;
  /** Summary of each numeric field of the JSON payloads. */
  readonly fields: Readonly<Summary>;
  /** The payload as it came; of single readings only. */
  readonly payload?: Uint8Array;
}

export interface ReadingsPage {
  readonly points: readonly ReadingPoint[];
  /** Ask again from here for the rest; undefined where this was all. */
  readonly nextFromMs: number | undefined;
}

/** Rows that one call reads; a bucket with more of them comes as several points of the same `atMs`. */
export const PAGE_ROWS = 1000;
const DAY_MS = 86_400_000;

const SELECT_PAGE = `
  SELECT at_ms, body FROM readings WHERE key_id = ? AND at_ms >= ? AND at_ms < ?
  ORDER BY at_ms, id LIMIT ?`;

export interface ReadingsLimits {
  readonly days: number;
  readonly bytesMax: number;
}

export class Readings {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  readonly #limits: ReadingsLimits;
  /** Rows at or below are younger than the limit, or gone. */
  #prunedThroughId = 0;

  constructor(db: SqliteFile, keys: KeyIds, limits: ReadingsLimits) {
    this.#db = db;
    this.#keys = keys;
    this.#limits = limits;
  }

  add(key: string, atMs: number, payload: Uint8Array): void {
    const sql = 'INSERT INTO readings (key_id, at_ms, body) VALUES (?, ?, ?)';
    this.#db.run(sql, [this.#keys.idOf(key), atMs, payload]);
  }

  query(query: ReadingsQuery): ReadingsPage {
    const id = this.#keys.find(query.key);
    if (id === undefined || query.fromMs >= query.toMs)
      return { points: [], nextFromMs: undefined };
    const stepMs = query.stepMs ?? 0;
    const rows = this.#db.rows(SELECT_PAGE, [id, query.fromMs, query.toMs, PAGE_ROWS + 1]);
    const nextFromMs = rows.length > PAGE_ROWS ? pageEndMs(rows, stepMs) : undefined;
    const points: ReadingPoint[] = [];
    let bucket: { atMs: number; count: number; fields: Summary } | undefined;
    for (const row of rows) {
      const atMs = row['at_ms'] as number;
      if (nextFromMs !== undefined && atMs >= nextFromMs) break;
      const payload = row['body'] as Uint8Array;
      const startMs = stepMs > 0 ? Math.floor(atMs / stepMs) * stepMs : atMs;
      if (stepMs > 0 && bucket?.atMs === startMs) {
        bucket.count += 1;
        addToSummary(bucket.fields, numbersIn(payload));
        continue;
      }
      bucket = { atMs: startMs, count: 1, fields: {} };
      addToSummary(bucket.fields, numbersIn(payload));
      points.push(stepMs > 0 ? bucket : { ...bucket, payload });
    }
    return { points, nextFromMs };
  }

  /**
   * Removes at most `rowsMax` readings that are too old, or the oldest ones where all take too much space;
   * returns how many went. Zero means that nothing is left to do for now.
   */
  prune(nowMs: number, rowsMax: number): number {
    if (this.#db.usedBytes() > this.#limits.bytesMax) {
      const sql = 'DELETE FROM readings WHERE id IN (SELECT id FROM readings ORDER BY id LIMIT ?)';
      return this.#db.run(sql, [rowsMax]);
    }
    const last = this.#db.row(
      `SELECT max(id) AS id FROM
       (SELECT id FROM readings WHERE id > ? ORDER BY id LIMIT ?)`,
      [this.#prunedThroughId, rowsMax],
    )?.['id'];
    if (typeof last !== 'number') {
      this.#prunedThroughId = 0;
      return 0;
    }
    const gone = this.#db.run('DELETE FROM readings WHERE id > ? AND id <= ? AND at_ms < ?', [
      this.#prunedThroughId,
      last,
      nowMs - this.#limits.days * DAY_MS,
    ]);
    // Readings lie nearly in order of time: where none of these was old, the later ones are not either.
    this.#prunedThroughId = gone === 0 ? 0 : last;
    return gone;
  }
}

/**
 * Where a page of too many rows ends: at the start of its last bucket or moment, so that this comes whole
 * with the next page; where the page is all one bucket, at its last moment; where it is all one moment, after it.
 */
function pageEndMs(rows: readonly SqlRow[], stepMs: number): number {
  const firstMs = rows[0]?.['at_ms'] as number;
  const lastMs = rows.at(-1)?.['at_ms'] as number;
  const bucketMs = stepMs > 0 ? Math.floor(lastMs / stepMs) * stepMs : lastMs;
  if (bucketMs > firstMs) return bucketMs;
  return lastMs > firstMs ? lastMs : lastMs + 1;
}
