/**
 * Writes ops as columns (COLUMNS.md). Ops go in one by one and are cut into values at once, so that nothing of
 * the journal is held on to; `finish` then chooses and codes, in slices of a few milliseconds.
 *
 * What is promised: decode-columns.ts gives back every op and stamp bit for bit, in the same order, whatever they
 * hold. What is not: that this is smaller than rows for ops that have nothing in common.
 */
import { assert } from '../../base/assert.ts';
import { concatBytes } from '../../base/bytes.ts';
import type { ClockQuality } from '../../base/clock.ts';
import type { Steps } from '../../base/steps.ts';
import type { OpClass } from '../../model/class.ts';
import { EVENT, type Op, type OpClock, type Stamp, type StampedOp } from '../../model/op.ts';
import { type Lane, laneOf, type Origin } from '../../model/origin.ts';
import { BitEncoder } from './bit-coder.ts';
import { type BodyDraft, BodyDrafts, BodyWriter } from './body-writer.ts';
import { planTimes } from './plan.ts';
import {
  type CodeBody,
  ENCODE_WORK,
  isSliceEnd,
  LaneWalk,
  OrderWalk,
  Rows,
  SeriesWalk,
} from './rows.ts';
import { type ClockParts, type Series, type StampParts, writeTables } from './tables.ts';

interface SeriesDraft extends Series {
  readonly index: number;
  readonly rows: number[];
  readonly bodies: BodyDraft;
}

/** Series of one lane by key; of other kinds than events by kind and key. */
interface LaneDraft {
  readonly origin: Origin;
  readonly class: OpClass;
  readonly events: Map<string, SeriesDraft>;
  readonly others: Map<string, SeriesDraft>;
}

/** Values in the order they were first met, with their numbers. */
class Numbered<T> {
  readonly list: T[] = [];
  readonly #indexByKey = new Map<string, number>();

  /** The number of `key`'s value, which is made when the key is new. */
  indexOf(key: string, make: () => T): number {
    const known = this.#indexByKey.get(key);
    if (known !== undefined) return known;
    this.#indexByKey.set(key, this.list.length);
    this.list.push(make());
    return this.list.length - 1;
  }
}

export class ColumnEncoder {
  readonly #origins = new Numbered<Origin>();
  readonly #stamps = new Numbered<StampParts>();
  readonly #clocks = new Numbered<ClockParts>();
  readonly #series: SeriesDraft[] = [];
  readonly #lanes = new Map<Lane, LaneDraft>();
  readonly #rows = new Rows();
  readonly #drafts = new BodyDrafts();
  #lane: LaneDraft | undefined;
  /** What the op before had, and its number. */
  #lastStamp = { hub: '' as Origin, authority: 0, rosterEpoch: 0, index: 0 };
  #lastClock = { quality: 'unknown' as ClockQuality, bootId: -1, index: 0 };
  #isFinished = false;

  get ops(): number {
    return this.#rows.count;
  }

  /** Takes one op in; keeps nothing of it that aliases its bytes. */
  add({ op, stamp }: StampedOp): void {
    assert(!this.#isFinished, 'no op is added to finished columns');
    const rows = this.#rows;
    const row = rows.add();
    const series = this.#seriesOf(op);
    series.rows.push(row);
    rows.series[row] = series.index;
    rows.hlcMs[row] = op.hlc.ms;
    rows.hlcCounter[row] = op.hlc.counter;
    rows.stampMs[row] = stamp.hlc.ms;
    rows.stampCounter[row] = stamp.hlc.counter;
    rows.stamp[row] = this.#stampIndex(stamp);
    rows.clock[row] = this.#clockIndex(op.clock);
    rows.monotonicMs[row] = op.clock.monotonicMs;
    rows.seq[row] = op.seq;
    this.#drafts.add(series.bodies, row, op.body);
  }

  /** The columns of all ops; pauses between slices of a few milliseconds so that the caller can do other work. */
  *finish(): Steps<Uint8Array> {
    assert(!this.#isFinished, 'columns are finished once');
    this.#isFinished = true;
    const coder = new BitEncoder();
    const bodies = new BodyWriter(this.#drafts, this.#rows.hlcMs);
    yield* this.#codeSeries(coder, bodies);
    yield* this.#codeOrder(coder);
    return writeTables({
      origins: this.#origins.list,
      stamps: this.#stamps.list,
      clocks: this.#clocks.list,
      series: this.#series,
      counts: this.#series.map((series) => series.rows.length),
      templates: this.#drafts.skeletons,
      texts: bodies.texts,
      raw: concatBytes(bodies.raw),
      coded: coder.finish(),
    });
  }

  *#codeSeries(coder: BitEncoder, bodies: BodyWriter): Steps<void> {
    const rows = this.#rows;
    const { hlcMs, stampMs } = rows;
    const walk = new SeriesWalk(ENCODE_WORK);
    const stamps = this.#stamps.list.length;
    const codeBody: CodeBody = (_, row) => bodies.code(coder, hlcMs[row] as number);
    for (const series of this.#series) {
      const plan = planTimes(hlcMs, stampMs, series.rows);
      bodies.open(series.bodies);
      yield* walk.code(coder, rows, series.rows, plan, stamps, codeBody);
    }
  }

  *#codeOrder(coder: BitEncoder): Steps<void> {
    const rows = this.#rows;
    const byStamp = isAscending(rows);
    coder.plain(1, byStamp ? 1 : 0);
    const order = new OrderWalk(this.#series.length);
    const lanes = new LaneWalk({ series: this.#series }, this.#clocks.list.length);
    for (let row = 0; row < rows.count; row++) {
      if (!byStamp) order.code(coder, rows.series[row] as number);
      lanes.code(coder, rows, row);
      if (isSliceEnd(row, ENCODE_WORK)) yield;
    }
  }

  #originIndex(origin: Origin): number {
    return this.#origins.indexOf(origin, () => origin);
  }

  #seriesOf(op: Op): SeriesDraft {
    if (op.origin !== this.#lane?.origin || op.class !== this.#lane.class) {
      this.#lane = this.#laneDraft(op);
    }
    const key = op.kind === EVENT ? op.key : `${op.kind} ${op.key}`;
    const byKey = op.kind === EVENT ? this.#lane.events : this.#lane.others;
    const known = byKey.get(key);
    if (known !== undefined) return known;
    const index = this.#series.length;
    const origin = this.#originIndex(op.origin);
    const common = { origin, class: op.class, kind: op.kind, key: op.key };
    const series = { ...common, index, rows: [], bodies: this.#drafts.series() };
    this.#series.push(series);
    byKey.set(key, series);
    return series;
  }

  #laneDraft({ origin, class: opClass }: Op): LaneDraft {
    const lane = laneOf(origin, opClass);
    const known = this.#lanes.get(lane);
    if (known !== undefined) return known;
    const made = { origin, class: opClass, events: new Map(), others: new Map() };
    this.#lanes.set(lane, made);
    return made;
  }

  /** Most stamps differ from the one before in their time alone. */
  #stampIndex({ hub, authority, rosterEpoch }: Stamp): number {
    const last = this.#lastStamp;
    if (last.hub === hub && last.authority === authority && last.rosterEpoch === rosterEpoch) {
      return last.index;
    }
    const key = `${hub}${authority}/${rosterEpoch}`;
    const make = (): StampParts => ({ hub: this.#originIndex(hub), authority, rosterEpoch });
    const index = this.#stamps.indexOf(key, make);
    this.#lastStamp = { hub, authority, rosterEpoch, index };
    return index;
  }

  #clockIndex({ quality, bootId }: OpClock): number {
    const last = this.#lastClock;
    if (last.bootId === bootId && last.quality === quality) return last.index;
    const index = this.#clocks.indexOf(`${bootId}${quality}`, () => ({ quality, bootId }));
    this.#lastClock = { quality, bootId, index };
    return index;
  }
}

/** True where each stamp is later than the one before, as it is for ops in the order of one hub's journal. */
function isAscending(rows: Rows): boolean {
  for (let row = 1; row < rows.count; row++) {
    const step = (rows.stampMs[row] as number) - (rows.stampMs[row - 1] as number);
    const counters = (rows.stampCounter[row] as number) - (rows.stampCounter[row - 1] as number);
    if (step < 0 || (step === 0 && counters <= 0)) return false;
  }
  return true;
}
