/**
 * The columns that every op has, and the one walk over them that writer and reader share (COLUMNS.md §4): first
 * series by series, then in the order of the batch. The reader runs the same walk over empty rows and fills them.
 */
import type { Steps } from '../../base/steps.ts';
import { type BitCoder, Odds } from './bit-coder.ts';
import { ColumnsError } from './columns-error.ts';
import { newMemory, NumberModel, SymbolModel } from './number-model.ts';
import { FOLLOW_MS, NumberStream, Predictor, PREVIOUS, SCHEDULE, type Way } from './predictor.ts';
import type { Series, Tables } from './tables.ts';

/** One array a column; the index is the row. */
export class Rows {
  count = 0;
  hlcMs = new Float64Array(0);
  hlcCounter = new Float64Array(0);
  stampMs = new Float64Array(0);
  stampCounter = new Float64Array(0);
  /** Indices into the tables. */
  stamp = new Float64Array(0);
  clock = new Float64Array(0);
  seq = new Float64Array(0);
  monotonicMs = new Float64Array(0);
  series = new Float64Array(0);

  /** A new row, all zero; returns its index. */
  add(): number {
    if (this.count === this.hlcMs.length) this.reserve(Math.max(64, this.count * 2));
    this.count += 1;
    return this.count - 1;
  }

  reserve(capacity: number): void {
    const grow = (column: Float64Array): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(capacity);
      grown.set(column);
      return grown;
    };
    this.hlcMs = grow(this.hlcMs);
    this.hlcCounter = grow(this.hlcCounter);
    this.stampMs = grow(this.stampMs);
    this.stampCounter = grow(this.stampCounter);
    this.stamp = grow(this.stamp);
    this.clock = grow(this.clock);
    this.seq = grow(this.seq);
    this.monotonicMs = grow(this.monotonicMs);
    this.series = grow(this.series);
  }
}

/** Work of a decoder between two pauses, about a millisecond: a row counts as ROW_WORK, each of its slots as one. */
export const DECODE_WORK = 4096;
/** Of an encoder, whose hub has devices to answer: it may pause so often, and measures whether it should. */
export const ENCODE_WORK = 512;
const ROW_WORK = 8;
const MS_LIMIT = 2 ** 48;
const COUNTER_LIMIT = 2 ** 16;

/** How the times of a series are predicted. */
export interface TimePlan {
  readonly way: Way;
  /** Milliseconds between readings; only for SCHEDULE. */
  readonly periodMs: number;
  readonly stampWay: Way;
}

/** True after the op at this place of the batch where it is time to pause. */
export function isSliceEnd(place: number, work: number): boolean {
  const rows = work / ROW_WORK;
  return place % rows === rows - 1;
}

/** Codes the body of one row; returns how many slots it has. */
export type CodeBody = (coder: BitCoder, row: number) => number;

interface SeriesStreams {
  readonly times: NumberStream;
  readonly stampTimes: NumberStream;
  readonly counters: NumberStream;
  readonly stampCounters: NumberStream;
}

export class SeriesWalk {
  readonly #ways = new SymbolModel(3);
  readonly #stampWays = new SymbolModel(3);
  readonly #periods = new NumberStream(new NumberModel(), new Predictor(PREVIOUS, 0));
  readonly #times = new NumberModel();
  readonly #counters = new NumberModel();
  readonly #stampTimes = new NumberModel();
  readonly #stampCounters = new NumberModel();
  readonly #stamps = new NumberStream(new NumberModel(), new Predictor(PREVIOUS, 0));
  #startMs = 0;
  #stampStartMs = 0;
  /** Done since the last pause. */
  #work = 0;
  readonly #workMax: number;

  constructor(workMax: number) {
    this.#workMax = workMax;
  }

  /** Codes the rows of one series in their order; pauses now and then. */
  *code(
    coder: BitCoder,
    rows: Rows,
    members: ArrayLike<number>,
    plan: TimePlan,
    stampCount: number,
    codeBody: CodeBody,
  ): Steps<void> {
    const streams = this.#open(coder, plan);
    // What is called often is compiled soon; a generator is not.
    for (let i = 0; i < members.length; i++) {
      const row = members[i] as number;
      this.#codeTimes(coder, rows, row, stampCount, streams);
      this.#work += ROW_WORK + codeBody(coder, row);
      if (i === 0) {
        this.#startMs = rows.hlcMs[row] as number;
        this.#stampStartMs = rows.stampMs[row] as number;
      }
      if (this.#work >= this.#workMax) {
        this.#work = 0;
        yield;
      }
    }
  }

  #codeTimes(
    coder: BitCoder,
    rows: Rows,
    row: number,
    stampCount: number,
    { times, stampTimes, counters, stampCounters }: SeriesStreams,
  ): void {
    const hlcMs = within(MS_LIMIT, times.code(coder, rows.hlcMs[row] as number, 0));
    const counter = counters.code(coder, rows.hlcCounter[row] as number, 0);
    const stampMs = stampTimes.code(coder, rows.stampMs[row] as number, hlcMs);
    // Within one millisecond, a stamp's counter goes on where the op's ended.
    const base = stampMs === hlcMs ? counter : 0;
    const above = stampCounters.code(coder, (rows.stampCounter[row] as number) - base, 0);
    const stamp = this.#stamps.code(coder, rows.stamp[row] as number, 0);
    rows.hlcMs[row] = hlcMs;
    rows.hlcCounter[row] = within(COUNTER_LIMIT, counter);
    rows.stampMs[row] = within(MS_LIMIT, stampMs);
    rows.stampCounter[row] = within(COUNTER_LIMIT, above + base);
    rows.stamp[row] = within(stampCount, stamp);
  }

  #open(coder: BitCoder, plan: TimePlan): SeriesStreams {
    const way = this.#ways.code(coder, plan.way) as Way;
    const periodMs = way === SCHEDULE ? this.#periods.code(coder, plan.periodMs, 0) : 0;
    const stampWay = this.#stampWays.code(coder, plan.stampWay) as Way;
    const stampStartMs = stampWay === FOLLOW_MS ? 0 : this.#stampStartMs;
    return {
      times: new NumberStream(this.#times, new Predictor(way, this.#startMs, periodMs)),
      stampTimes: new NumberStream(this.#stampTimes, new Predictor(stampWay, stampStartMs)),
      counters: new NumberStream(this.#counters, new Predictor(PREVIOUS, 0)),
      stampCounters: new NumberStream(this.#stampCounters, new Predictor(PREVIOUS, 0)),
    };
  }
}

function within(limit: number, value: number): number {
  if (value < 0 || value >= limit) throw new ColumnsError('number out of range');
  return value;
}

/** Where ops lie in the batch, coded only where the stamps do not say it already. */
export class OrderWalk {
  readonly #follows = new Odds(1);
  readonly #places = new NumberModel();
  readonly #memory = newMemory();
  /** The series that came after each series when it was met last. */
  readonly #next: Int32Array;
  #series = 0;

  constructor(seriesCount: number) {
    this.#next = Int32Array.from({ length: seriesCount }, (_, index) => (index + 1) % seriesCount);
    this.#series = seriesCount - 1;
  }

  /** Codes the series of the next op. */
  code(coder: BitCoder, series: number): number {
    const guess = this.#next[this.#series] as number;
    const isGuessed = coder.bit(this.#follows, 0, series === guess ? 1 : 0) === 1;
    const coded = isGuessed ? guess : this.#places.code(coder, this.#memory, 0, series);
    this.#next[this.#series] = within(this.#next.length, coded);
    this.#series = coded;
    return coded;
  }
}

interface Lane {
  seq: number;
  readonly clocks: NumberStream;
  readonly monotonic: NumberStream;
}

/** What runs on from op to op of a lane: numbers, boots, the monotonic clock. */
export class LaneWalk {
  readonly #seqs = new NumberModel();
  readonly #seqMemory = newMemory();
  readonly #clocks = new NumberModel();
  readonly #monotonic = new NumberModel();
  readonly #laneByKey = new Map<number, Lane>();
  readonly #laneBySeries: Lane[];
  readonly #clockCount: number;

  constructor(tables: Pick<Tables, 'series'>, clockCount: number) {
    this.#clockCount = clockCount;
    this.#laneBySeries = tables.series.map((series) => this.#laneOf(series));
  }

  code(coder: BitCoder, rows: Rows, row: number): void {
    const lane = this.#laneBySeries[rows.series[row] as number] as Lane;
    const expected = Math.min(Number.MAX_SAFE_INTEGER, lane.seq + 1);
    const seq = this.#seqs.code(coder, this.#seqMemory, expected, rows.seq[row] as number);
    if (seq < 1) throw new ColumnsError('number out of range');
    lane.seq = seq;
    rows.seq[row] = seq;
    const clock = lane.clocks.code(coder, rows.clock[row] as number, 0);
    rows.clock[row] = within(this.#clockCount, clock);
    const hlcMs = rows.hlcMs[row] as number;
    const monotonicMs = lane.monotonic.code(coder, rows.monotonicMs[row] as number, hlcMs);
    rows.monotonicMs[row] = within(Number.MAX_SAFE_INTEGER + 1, monotonicMs);
  }

  #laneOf(series: Series): Lane {
    const key = series.origin * 8 + series.class;
    const known = this.#laneByKey.get(key);
    if (known !== undefined) return known;
    const lane = {
      seq: 0,
      clocks: new NumberStream(this.#clocks, new Predictor(PREVIOUS, 0)),
      monotonic: new NumberStream(this.#monotonic, new Predictor(FOLLOW_MS, 0)),
    };
    this.#laneByKey.set(key, lane);
    return lane;
  }
}
