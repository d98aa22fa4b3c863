/**
 * Events over time: every captured payload with its moment, for a number of days and within a number of
 * bytes. History, not state: it is outside the digest, and a rebuilt store has as much of it as the journal.
 *
 * Rows are chunks (reading-chunk.ts), appended, with one index by (day, key, moment). The day comes first so that
 * what is written in one hour lies on a few pages of the index, however many keys there are. Queries come in
 * pages of bounded work, since they run on the event loop.
 */
import type { EventGather } from './event-gather.ts';
import type { KeyIds } from '../database/key-ids.ts';
import {
  CHUNK_SPAN_MS_MAX,
  type ChunkRow,
  ChunkWriter,
  DAY_MS,
  type Reading,
  readChunk,
} from './reading-chunk.ts';
import type { SqliteFile, SqlRow } from '../database/sqlite.ts';
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

/** Readings that one call gives; a bucket with more of them comes as several points of the same `atMs`. */
export const PAGE_READINGS = 1000;
/** Days that one call looks into. */
const PAGE_DAYS = 400;
const CHUNKS_AT_ONCE = 8;

const INSERT =
  'INSERT INTO readings (key_id, first_ms, span_ms, codec, body) VALUES (?, ?, ?, ?, ?)';
const NEXT_DAY = `
  SELECT min(first_ms / ${DAY_MS}) AS day FROM readings INDEXED BY readings_by_day
  WHERE first_ms / ${DAY_MS} >= ?`;
const CHUNKS_OF_DAY = `
  SELECT id, first_ms, span_ms, codec, body FROM readings INDEXED BY readings_by_day
  WHERE first_ms / ${DAY_MS} = ? AND key_id = ? ORDER BY first_ms, id`;
const CHUNKS = `
  SELECT id, first_ms, span_ms, codec, body FROM readings INDEXED BY readings_by_day
  WHERE first_ms / ${DAY_MS} = ? AND key_id = ? AND (first_ms, id) > (?, ?) AND first_ms < ?
  ORDER BY first_ms, id LIMIT ${CHUNKS_AT_ONCE}`;

const PRUNE_DAY = `
  DELETE FROM readings WHERE id IN (
    SELECT id FROM readings INDEXED BY readings_by_day WHERE first_ms / ${DAY_MS} = ? LIMIT ?)`;

/** A reading that was made at another moment than was thought. */
export interface Retimed {
  readonly fromMs: number;
  readonly toMs: number;
}

interface ReadingsLimits {
  readonly days: number;
  readonly bytesMax: number;
}

export class Readings {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  readonly #limits: ReadingsLimits;

  constructor(db: SqliteFile, keys: KeyIds, limits: ReadingsLimits) {
    this.#db = db;
    this.#keys = keys;
    this.#limits = limits;
  }

  addChunk(keyId: number, { firstMs, spanMs, codec, body }: ChunkRow): void {
    this.#db.run(INSERT, [keyId, firstMs, spanMs, codec, body]);
  }

  /** A page of the readings in the tables and of those that are still gathered. */
  query(query: ReadingsQuery, gathered: EventGather): ReadingsPage {
    const { key, fromMs, toMs, stepMs = 0 } = query;
    if (fromMs >= toMs) return { points: [], nextFromMs: undefined };
    const wanted = (reading: Reading): boolean => reading.atMs >= fromMs && reading.atMs < toMs;
    const found = [...gathered.readingsOf(key)].filter(wanted);
    const knownUntilMs = this.#collect(query, wanted, found);
    // Stable: of one moment, the readings stay as they came.
    found.sort((a, b) => a.atMs - b.atMs);
    return pageOf(found, stepMs, knownUntilMs, toMs);
  }

  /** Collects a page and more where there is more, and returns up to which moment nothing is missing. */
  #collect(
    { key, fromMs, toMs }: ReadingsQuery,
    wanted: (reading: Reading) => boolean,
    found: Reading[],
  ): number {
    const keyId = this.#keys.find(key);
    if (keyId === undefined) return toMs;
    const lastDay = Math.floor((toMs - 1) / DAY_MS);
    // A chunk that begins earlier ends before `from`.
    const earliestMs = fromMs - CHUNK_SPAN_MS_MAX;
    let day = this.#dayFrom(Math.floor(earliestMs / DAY_MS));
    for (let days = 0; day !== undefined && day <= lastDay; days++) {
      if (days === PAGE_DAYS) return day * DAY_MS;
      for (const row of this.#chunks(day, keyId, earliestMs, toMs)) {
        const firstMs = row['first_ms'] as number;
        // What comes begins here: all before is known.
        if (countBefore(found, firstMs) > PAGE_READINGS) return firstMs;
        for (const reading of readChunk(chunkOf(row))) if (wanted(reading)) found.push(reading);
      }
      day = this.#dayFrom(day + 1);
    }
    return toMs;
  }

  /** Rows of the chunks of one day, by where they begin. */
  *#chunks(day: number, keyId: number, fromMs: number, toMs: number): Generator<SqlRow> {
    let [afterMs, afterId] = [fromMs - 1, Number.MAX_SAFE_INTEGER];
    for (;;) {
      const rows = this.#db.rows(CHUNKS, [day, keyId, afterMs, afterId, toMs]);
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < CHUNKS_AT_ONCE) return;
      afterMs = last['first_ms'] as number;
      afterId = last['id'] as number;
    }
  }

  #dayFrom(day: number): number | undefined {
    const next = this.#db.row(NEXT_DAY, [day])?.['day'];
    return typeof next === 'number' ? next : undefined;
  }

  /** Moves readings of a key to other moments; of several of one moment, in the order in which they came. */
  retime(keyId: number, moves: readonly Retimed[]): void {
    const toByFrom = new Map<number, number[]>();
    const days = new Set<number>();
    for (const { fromMs, toMs } of moves) {
      const to = toByFrom.get(fromMs);
      if (to === undefined) toByFrom.set(fromMs, [toMs]);
      else to.push(toMs);
      days.add(Math.floor(fromMs / DAY_MS));
    }
    for (const day of days) {
      const chunks = this.#db.rows(CHUNKS_OF_DAY, [day, keyId]);
      const ids = chunks.map((row) => row['id'] as number);
      const moved = chunks
        .flatMap((row) => readChunk(chunkOf(row)))
        .map(({ atMs, payload }) => ({ atMs: toByFrom.get(atMs)?.shift() ?? atMs, payload }));
      for (const id of ids) this.#db.run('DELETE FROM readings WHERE id = ?', [id]);
      this.#add(
        keyId,
        moved.toSorted((a, b) => a.atMs - b.atMs),
      );
    }
  }

  #add(keyId: number, readings: readonly Reading[]): void {
    const writer = new ChunkWriter();
    for (const { atMs, payload } of readings) {
      if (!writer.hasRoom(atMs, payload.length)) this.addChunk(keyId, writer.take(true));
      writer.add(atMs, payload, 0, payload.length);
    }
    if (!writer.isEmpty) this.addChunk(keyId, writer.take(true));
  }

  /**
   * Removes at most `chunksMax` chunks of days that are too old, or those that came first where all take too much space;
   * returns how many went. Zero means that nothing is left to do for now. A day on which readings wait for their true time
   * is none that is over, and goes by space alone.
   */
  prune(nowMs: number, chunksMax: number, isWaiting: (day: number) => boolean): number {
    const { days, bytesMax } = this.#limits;
    if (this.#db.usedBytes() > bytesMax) {
      const sql = 'DELETE FROM readings WHERE id IN (SELECT id FROM readings ORDER BY id LIMIT ?)';
      return this.#db.run(sql, [chunksMax]);
    }
    const oldestDay = Math.floor(nowMs / DAY_MS) - days;
    let day = this.#dayFrom(0);
    while (day !== undefined && isWaiting(day)) day = this.#dayFrom(day + 1);
    return day === undefined || day >= oldestDay ? 0 : this.#db.run(PRUNE_DAY, [day, chunksMax]);
  }
}

/** A page of what was found, in order of time, which is all that there is before `knownUntilMs`. */
export function pageOf(
  found: readonly Reading[],
  stepMs: number,
  knownUntilMs: number,
  toMs: number,
): ReadingsPage {
  const nextFromMs = pageEndMs(found, stepMs, knownUntilMs, toMs);
  const page = nextFromMs === undefined ? found : found.filter(({ atMs }) => atMs < nextFromMs);
  return { points: pointsOf(page, stepMs), nextFromMs };
}

function chunkOf(row: Readonly<Record<string, unknown>>): ChunkRow {
  return {
    firstMs: row['first_ms'] as number,
    spanMs: row['span_ms'] as number,
    codec: row['codec'] as number,
    body: row['body'] as Uint8Array,
  };
}

function countBefore(readings: readonly Reading[], ms: number): number {
  if (readings.length <= PAGE_READINGS) return 0;
  let count = 0;
  for (const { atMs } of readings) if (atMs < ms) count += 1;
  return count;
}

function pointsOf(readings: readonly Reading[], stepMs: number): ReadingPoint[] {
  const points: ReadingPoint[] = [];
  let bucket: { atMs: number; count: number; fields: Summary } | undefined;
  for (const { atMs, payload } of readings) {
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
  return points;
}

/**
 * Where a page ends, undefined where all is in it: at the start of its last bucket or moment, so that this comes
 * whole with the next page; where the page is all one bucket, at its last moment; where it is all one moment,
 * after it.
 */
function pageEndMs(
  readings: readonly Reading[],
  stepMs: number,
  knownUntilMs: number,
  toMs: number,
): number | undefined {
  const first = readings[0];
  const last = readings[PAGE_READINGS];
  if (first === undefined || last === undefined || last.atMs >= knownUntilMs) {
    return knownUntilMs < toMs ? knownUntilMs : undefined;
  }
  const bucketMs = stepMs > 0 ? Math.floor(last.atMs / stepMs) * stepMs : last.atMs;
  if (bucketMs > first.atMs) return bucketMs;
  return last.atMs > first.atMs ? last.atMs : last.atMs + 1;
}
