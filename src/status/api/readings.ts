/**
 * Readings over time as JSON and CSV, of a hub or of a site at the regional node. The store answers in pages of bounded work, because it works on the event
 * loop; between two pages everyone else has a turn. An answer ends after some pages and says where to go on.
 */
import { pause, type Timers } from '../../base/clock.ts';
import { durationMs } from '../../base/duration.ts';
import { isoTime } from '../../base/iso-time.ts';
import type { JsonValue } from '../../codec/json.ts';
import { jsonAnswer, textAnswer } from '../http/answers.ts';
import type { MayRead } from '../http/login.ts';
import { problem } from '../http/problem.ts';
import { takenIn } from '../http/taken.ts';
import { timeIn } from '../http/time-parameter.ts';
import { csvCell, jsonOfPayload } from '../http/values.ts';

export interface ReadingsQuery {
  readonly key: string;
  /** Inclusive. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** Width of a bucket; 0: every reading by itself. */
  readonly stepMs: number;
}

/** What a field did in a bucket. */
interface FieldSummary {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly last: number;
  readonly count: number;
}

export interface ReadingPoint {
  readonly atMs: number;
  readonly count: number;
  readonly fields: Readonly<Record<string, FieldSummary>>;
  /** Of a single reading. */
  readonly payload?: Uint8Array;
}

export interface ReadingsPage {
  readonly points: readonly ReadingPoint[];
  /** Ask again from here; undefined where this was all. */
  readonly nextFromMs: number | undefined;
}

export interface ReadingsSource {
  readings(query: ReadingsQuery): ReadingsPage | Promise<ReadingsPage>;
  readonly timers: Timers;
  wallMs(): number;
}

const DAY_MS = 86_400_000;
const PAGES_MAX = 20;
const POINTS_MAX = 20_000;

/** `?key=&from=&to=&step=`: JSON, or CSV where `Accept` wants it; the last day unless said. */
export async function readingsAnswer(
  source: ReadingsSource,
  { url, headers }: Request,
  mayRead: MayRead,
): Promise<Response> {
  const asked = new URL(url);
  const key = asked.searchParams.get('key') ?? '';
  if (key === '') return problem(400, 'Say which: ?key=devices/meter7/energy');
  if (!mayRead(key)) return problem(403, `You may not read ${key}.`);
  const to = timeIn(asked, 'to', source.wallMs());
  if (to instanceof Response) return to;
  const from = timeIn(asked, 'from', source.wallMs());
  if (from instanceof Response) return from;
  const stepMs = durationMs(asked.searchParams.get('step') ?? '0');
  if (stepMs === undefined) return problem(400, 'step is a duration such as 30s, 15m or 1h.');
  const toMs = to ?? source.wallMs();
  const query = { key, fromMs: from ?? toMs - DAY_MS, toMs, stepMs };
  const found = await gatherReadings(source, query);
  const wantsCsv = takenIn(headers.get('accept') ?? '').includes('text/csv');
  if (wantsCsv) return textAnswer(readingsCsv(found), 'text/csv; charset=utf-8; header=present');
  return jsonAnswer(readingsJson(query, found));
}

async function gatherReadings(source: ReadingsSource, query: ReadingsQuery): Promise<ReadingsPage> {
  const points: ReadingPoint[] = [];
  const { stepMs } = query;
  let nextFromMs: number | undefined = query.fromMs;
  for (let pages = 0; nextFromMs !== undefined; pages++) {
    if (pages === PAGES_MAX || points.length >= POINTS_MAX) break;
    if (pages > 0) await pause(source.timers, 0);
    const page = await source.readings({ ...query, fromMs: nextFromMs });
    for (const point of page.points) {
      const before = points.at(-1);
      // A bucket that is larger than a page comes in parts.
      if (stepMs === 0 || before?.atMs !== point.atMs) points.push(point);
      else points[points.length - 1] = joined(before, point);
    }
    nextFromMs = page.nextFromMs;
  }
  const last = points.at(-1);
  const isCut = last !== undefined && nextFromMs !== undefined && nextFromMs < last.atMs + stepMs;
  if (!isCut || points.length === 1) return { points, nextFromMs };
  return { points: points.slice(0, -1), nextFromMs: last.atMs };
}

/** Two parts of a bucket, the later one behind. */
function joined(one: ReadingPoint, other: ReadingPoint): ReadingPoint {
  const fields: Record<string, FieldSummary> = { ...one.fields };
  for (const [name, part] of Object.entries(other.fields)) {
    const known = Object.hasOwn(fields, name) ? fields[name] : undefined;
    fields[name] = known === undefined ? part : together(known, part);
  }
  return { atMs: one.atMs, count: one.count + other.count, fields };
}

function together(one: FieldSummary, other: FieldSummary): FieldSummary {
  const count = one.count + other.count;
  return {
    min: Math.min(one.min, other.min),
    max: Math.max(one.max, other.max),
    mean: one.mean + ((other.mean - one.mean) * other.count) / count,
    last: other.last,
    count,
  };
}

function readingsJson(
  { key, fromMs, toMs, stepMs }: ReadingsQuery,
  { points, nextFromMs }: ReadingsPage,
): JsonValue {
  return {
    key,
    from: isoTime(fromMs),
    to: isoTime(toMs),
    stepS: stepMs / 1000,
    /** Where to go on (`from`), or null where this is all. */
    next: nextFromMs === undefined ? null : isoTime(nextFromMs),
    readings: points.map((point) => jsonOfPoint(point)),
  };
}

function jsonOfPoint({ atMs, count, fields, payload }: ReadingPoint): JsonValue {
  const at = isoTime(atMs);
  if (payload !== undefined) return { at, value: jsonOfPayload(payload) };
  return { at, count, fields: fields as Readonly<Record<string, JsonValue & FieldSummary>> };
}

/** `at,value` for single readings; a row for each field of a bucket otherwise. */
function readingsCsv({ points }: ReadingsPage): string {
  const isSummary = points.some(({ payload }) => payload === undefined);
  const rows = points.flatMap(({ atMs, fields, payload }) => {
    if (payload !== undefined) return [`${isoTime(atMs)},${csvCell(payload)}`];
    return Object.entries(fields).map(
      ([name, { count, min, mean, max, last }]) =>
        `${isoTime(atMs)},${csvCell(name)},${count},${min},${mean},${max},${last}`,
    );
  });
  const header = isSummary ? 'at,field,count,min,mean,max,last' : 'at,value';
  return [header, ...rows].map((row) => `${row}\r\n`).join('');
}
