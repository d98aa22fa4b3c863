/**
 * Reads columns from bytes that nobody vouches for (COLUMNS.md). Counts and lengths are checked before memory
 * is taken, what comes out never exceeds `limits`, and whatever is wrong is an outcome. Work is done in slices
 * of a few milliseconds, since a small payload may hold many ops.
 */
import type { Steps } from '../../base/steps.ts';
import { CborError } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { type Op, type StampedOp, writeOp } from '../../model/op.ts';
import { BitDecoder } from './bit-coder.ts';
import { BodyReader } from './body-reader.ts';
import { ColumnsError } from './columns-error.ts';
import { PREVIOUS } from './predictor.ts';
import { DECODE_WORK, isSliceEnd, LaneWalk, OrderWalk, Rows, SeriesWalk } from './rows.ts';
import {
  type ClockParts,
  readTables,
  type Series,
  type StampParts,
  type Tables,
} from './tables.ts';

/** What a reader is willing to take. */
export interface ColumnLimits {
  readonly opsMax: number;
  /** Bytes of all ops together. */
  readonly bytesMax: number;
}

export type ColumnsOutcome =
  | { readonly kind: 'ops'; readonly ops: readonly StampedOp[] }
  | { readonly kind: 'malformed'; readonly reason: string };

/** Reads all ops; pauses between slices of a few milliseconds so that the caller can do other work. */
export function* decodeColumnsInSlices(
  bytes: Uint8Array,
  limits: ColumnLimits,
): Steps<ColumnsOutcome> {
  try {
    const tables = readTables(bytes, limits.opsMax);
    const reading = new Reading(tables, limits);
    yield* reading.series();
    yield* reading.order();
    return { kind: 'ops', ops: reading.ops };
  } catch (error) {
    if (error instanceof CborError || error instanceof ColumnsError) {
      return { kind: 'malformed', reason: error.message };
    }
    throw error;
  }
}

const ANY_TIMES = { way: PREVIOUS, periodMs: 0, stampWay: PREVIOUS } as const;

class Reading {
  readonly ops: StampedOp[] = [];
  readonly #tables: Tables;
  readonly #limits: ColumnLimits;
  readonly #coder: BitDecoder;
  readonly #rows = new Rows();
  readonly #bodies: BodyReader;
  /** Body of row i: `#bodyEnds[i - 1] … #bodyEnds[i]`. */
  readonly #bodyEnds: Float64Array;
  readonly #writer = new CborWriter();
  #bytes = 0;

  constructor(tables: Tables, limits: ColumnLimits) {
    this.#tables = tables;
    this.#limits = limits;
    this.#coder = new BitDecoder(tables.coded);
    this.#bodies = new BodyReader(tables, limits.bytesMax);
    const count = tables.counts.reduce((sum, ops) => sum + ops, 0);
    this.#rows.reserve(count);
    this.#rows.count = count;
    this.#bodyEnds = new Float64Array(count);
  }

  *series(): Steps<void> {
    const walk = new SeriesWalk(DECODE_WORK);
    let first = 0;
    for (const [index, count] of this.#tables.counts.entries()) {
      const members = Uint32Array.from({ length: count }, (_, place) => first + place);
      this.#rows.series.fill(index, first, first + count);
      this.#bodies.openSeries();
      const stamps = this.#tables.stamps.length;
      yield* walk.code(this.#coder, this.#rows, members, ANY_TIMES, stamps, (coder, row) => {
        if (!this.#coder.withinBytes) throw new ColumnsError('cut short');
        const slots = this.#bodies.read(coder, this.#rows.hlcMs[row] as number);
        this.#bodyEnds[row] = this.#bodies.length;
        return slots;
      });
      first += count;
    }
    if (!this.#bodies.usedAll) throw new ColumnsError('texts or bodies without an op');
  }

  /** Puts the ops in the order of the batch and completes them. */
  *order(): Steps<void> {
    const byStamp = this.#coder.plain(1, 0) === 1;
    const nextRow = byStamp ? this.#rowsByStamp() : this.#rowsByCode();
    const lanes = new LaneWalk(this.#tables, this.#tables.clocks.length);
    for (let i = 0; i < this.#rows.count; i++) {
      const row = nextRow();
      if (!this.#coder.withinBytes) throw new ColumnsError('cut short');
      lanes.code(this.#coder, this.#rows, row);
      this.#complete(row);
      if (isSliceEnd(i, DECODE_WORK)) yield;
    }
    if (!this.#coder.atEnd) throw new ColumnsError('bytes after the last op');
  }

  #rowsByStamp(): () => number {
    const { stampMs, stampCounter, count } = this.#rows;
    const order = Uint32Array.from({ length: count }, (_, row) => row);
    order.sort(
      (a, b) =>
        (stampMs[a] as number) - (stampMs[b] as number) ||
        (stampCounter[a] as number) - (stampCounter[b] as number) ||
        a - b,
    );
    let at = 0;
    return () => order[at++] as number;
  }

  #rowsByCode(): () => number {
    const { counts } = this.#tables;
    const walk = new OrderWalk(counts.length);
    let first = 0;
    const cursors = counts.map((count) => {
      const cursor = { next: first, end: first + count };
      first += count;
      return cursor;
    });
    return () => {
      const cursor = cursors[walk.code(this.#coder, 0)];
      if (cursor === undefined || cursor.next === cursor.end) {
        throw new ColumnsError('more ops than the series has');
      }
      cursor.next += 1;
      return cursor.next - 1;
    };
  }

  #complete(row: number): void {
    const { origins, series, stamps, clocks } = this.#tables;
    const rows = this.#rows;
    const column = (values: Float64Array): number => values[row] as number;
    const { origin, class: opClass, kind, key } = series[column(rows.series)] as Series;
    const { quality, bootId } = clocks[column(rows.clock)] as ClockParts;
    const body = this.#bodies.body(
      row === 0 ? 0 : (this.#bodyEnds[row - 1] as number),
      this.#bodyEnds[row] as number,
    );
    const op: Op = {
      origin: origins[origin] as Op['origin'],
      class: opClass,
      seq: column(rows.seq),
      hlc: { ms: column(rows.hlcMs), counter: column(rows.hlcCounter) },
      clock: { quality, bootId, monotonicMs: column(rows.monotonicMs) },
      kind,
      key,
      body,
    };
    const { hub, authority, rosterEpoch } = stamps[column(rows.stamp)] as StampParts;
    const stampHlc = { ms: column(rows.stampMs), counter: column(rows.stampCounter) };
    const stamp = { hub: origins[hub] as Op['origin'], hlc: stampHlc, authority, rosterEpoch };
    this.#writer.reset();
    writeOp(this.#writer, op);
    const bytes = this.#writer.finish();
    this.#bytes += bytes.length;
    if (this.#bytes > this.#limits.bytesMax) throw new ColumnsError('more bytes than allowed');
    this.ops.push({ bytes, op, stamp });
  }
}
