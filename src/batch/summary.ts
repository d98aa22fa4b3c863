/**
 * Summaries (BATCH.md §10): what a stretch of readings comes to, by series, field and window, in one small op that may
 * travel where the readings may not. The op says which readings it stands for, so that the region knows when they have
 * come and the summary is of no more use. It proves nothing and releases nothing: only the readings' own receipt does.
 *
 * Windows begin as narrow as asked for, and are joined two by two until all of them fit.
 */
import { textOf, utf8 } from '../base/bytes.ts';
import { type OpClass, CLASS_NAMES } from '../model/class.ts';
import type { Origin } from '../model/origin.ts';
import { RangeSet } from './ranges.ts';

const SUMMARY_FORMAT = 1;
/** Rows of a summary, and bytes of its text: beyond, windows are joined. */
export const SUMMARY_ROWS_MAX = 4_000;
export const SUMMARY_BYTES_MAX = 64 << 10;
/** Series that are told; further ones are counted. */
const SUMMARY_SERIES_MAX = 500;
/** Digits of a mean that mean something. */
const MEAN_DIGITS = 7;

/** `[start in seconds since 1970, count, min, max, mean, last]`. */
type SummaryRow = readonly [number, number, number, number, number, number];

export interface Summary {
  readonly format: typeof SUMMARY_FORMAT;
  readonly class: string;
  /** The stretch of the hub's journal that it looks at, ends included. */
  readonly fromLsn: number;
  readonly throughLsn: number;
  readonly ops: number;
  /** `[origin, from, to]` for each run of ops of that class there. */
  readonly ranges: readonly (readonly [string, number, number])[];
  readonly windowS: number;
  /** Key → field → rows, ascending. */
  readonly series: Readonly<Record<string, Readonly<Record<string, readonly SummaryRow[]>>>>;
  /** Ops without a number, and ops of series that had no room. */
  readonly left: number;
}

type Rows = Map<number, SummaryRow>;

interface SummarisedOp {
  readonly origin: Origin;
  readonly seq: number;
  readonly key: string;
  /** Effective time of the reading. */
  readonly atMs: number;
  readonly numbers: ReadonlyMap<string, number>;
}

export class SummaryFold {
  readonly #class: OpClass;
  readonly #ranges = new RangeSet();
  readonly #series = new Map<string, Map<string, Rows>>();
  #windowS: number;
  #rows = 0;
  #ops = 0;
  #left = 0;

  constructor(opClass: OpClass, windowS: number) {
    this.#class = opClass;
    this.#windowS = windowS;
  }

  get ops(): number {
    return this.#ops;
  }

  add({ origin, seq, key, atMs, numbers }: SummarisedOp): void {
    this.#ops += 1;
    this.#ranges.add(origin, this.#class, seq);
    const fields = numbers.size === 0 ? undefined : this.#fieldsOf(key);
    if (fields === undefined) {
      this.#left += 1;
      return;
    }
    for (const [field, value] of numbers) {
      if (!Number.isFinite(value)) continue;
      const rows = fields.get(field) ?? new Map<number, SummaryRow>();
      fields.set(field, rows);
      const start = this.#startOf(Math.floor(atMs / 1_000));
      const known = rows.get(start);
      if (known === undefined) this.#rows += 1;
      const row: SummaryRow = [start, 1, value, value, value, value];
      rows.set(start, known === undefined ? row : joined(known, row));
    }
    while (this.#rows > SUMMARY_ROWS_MAX && this.#widen());
  }

  /** The text of the op; undefined where nothing was added. */
  finish(fromLsn: number, throughLsn: number): Uint8Array | undefined {
    if (this.#ops === 0) return undefined;
    for (;;) {
      const body = utf8(JSON.stringify(this.#summary(fromLsn, throughLsn)));
      if (body.length <= SUMMARY_BYTES_MAX) return body;
      // One row a field and still too much: the last series goes, and is counted.
      if (!this.#widen()) this.#dropLast();
    }
  }

  #fieldsOf(key: string): Map<string, Rows> | undefined {
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= SUMMARY_SERIES_MAX) return undefined;
    const fields = new Map<string, Rows>();
    this.#series.set(key, fields);
    return fields;
  }

  #startOf(seconds: number): number {
    return Math.floor(seconds / this.#windowS) * this.#windowS;
  }

  /** Joins windows two by two; false where each field is one row already. */
  #widen(): boolean {
    const all = [...this.#series.values()].flatMap((fields) => [...fields.values()]);
    if (all.every((rows) => rows.size <= 1)) return false;
    this.#windowS *= 2;
    this.#rows = 0;
    for (const rows of all) {
      const narrow = [...rows.values()].toSorted((a, b) => a[0] - b[0]);
      rows.clear();
      for (const row of narrow) {
        const start = this.#startOf(row[0]);
        const wide: SummaryRow = [start, row[1], row[2], row[3], row[4], row[5]];
        const known = rows.get(start);
        rows.set(start, known === undefined ? wide : joined(known, wide));
      }
      this.#rows += rows.size;
    }
    return true;
  }

  #dropLast(): void {
    const last = [...this.#series.keys()].at(-1) as string;
    const [rows] = [...(this.#series.get(last)?.values() ?? [])];
    this.#left += [...(rows?.values() ?? [])].reduce((sum, row) => sum + row[1], 0);
    this.#series.delete(last);
  }

  #summary(fromLsn: number, throughLsn: number): Summary {
    const runs = this.#ranges.list();
    const series = [...this.#series].map(([key, fields]) => [
      key,
      Object.fromEntries([...fields].map(([field, rows]) => [field, told(rows)])),
    ]);
    return {
      format: SUMMARY_FORMAT,
      class: CLASS_NAMES[this.#class],
      fromLsn,
      throughLsn,
      ops: this.#ops,
      ranges: runs.map(({ origin, from, to }) => [origin, from, to]),
      windowS: this.#windowS,
      series: Object.fromEntries(series) as Summary['series'],
      left: this.#left,
    };
  }
}

/** `b` is the later one. */
function joined(a: SummaryRow, b: SummaryRow): SummaryRow {
  const count = a[1] + b[1];
  // Each by its share: a sum of large numbers would be no number any more.
  const mean = a[4] * (a[1] / count) + b[4] * (b[1] / count);
  return [a[0], count, Math.min(a[2], b[2]), Math.max(a[3], b[3]), mean, b[5]];
}

function told(rows: Rows): SummaryRow[] {
  return [...rows.values()]
    .toSorted((a, b) => a[0] - b[0])
    .map(([start, count, min, max, mean, last]) => {
      return [start, count, min, max, Number(mean.toPrecision(MEAN_DIGITS)), last];
    });
}

/** Reads a summary that a hub made; undefined for what is none, or of a later format. */
export function parseSummary(body: Uint8Array): Summary | undefined {
  if (body.length > 2 * SUMMARY_BYTES_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(textOf(body) ?? '');
    return isSummary(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isSummary(value: unknown): value is Summary {
  if (typeof value !== 'object' || value === null) return false;
  const { format, windowS, ops, series, fromLsn, throughLsn } = value as Partial<Summary>;
  const counts = [windowS, ops, fromLsn, throughLsn].every((it) => Number.isSafeInteger(it));
  const isKnown = format === SUMMARY_FORMAT && counts && (windowS as number) > 0;
  if (!isKnown || typeof series !== 'object' || series === null) return false;
  return Object.values(series).every((fields: unknown) => {
    if (typeof fields !== 'object' || fields === null) return false;
    return Object.values(fields).every((rows: unknown) => Array.isArray(rows) && rows.every(isRow));
  });
}

function isRow(row: unknown): row is SummaryRow {
  return Array.isArray(row) && row.length === 6 && row.every((it) => typeof it === 'number');
}
