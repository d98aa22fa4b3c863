/**
 * Which ops a batch holds: runs of sequence numbers per lane, in one canonical form (sorted by origin, class
 * and number, neighbours joined), so that hub and regional node compare them byte for byte.
 */
import { CborError, type CborReader } from '../codec/reader.ts';
import type { CborWriter } from '../codec/writer.ts';
import { isOpClass, type OpClass } from '../model/class.ts';
import {
  bytesOfOrigin,
  laneOf,
  type Lane,
  type Origin,
  originOfBytes,
  splitLane,
} from '../model/origin.ts';

/** Ops `from` … `to` of the lane (origin, class), both included. */
export interface LaneRange {
  readonly origin: Origin;
  readonly class: OpClass;
  readonly from: number;
  readonly to: number;
}

interface Run {
  from: number;
  to: number;
}

/** Gathers numbers in any order; knows doubles. */
export class RangeSet {
  readonly #runsByLane = new Map<Lane, Run[]>();
  /** The lane that was met last, most likely the next one's too. */
  #origin: Origin | undefined;
  #class: OpClass | undefined;
  #runs: Run[] = [];

  /** False where the number is there already. */
  add(origin: Origin, opClass: OpClass, seq: number): boolean {
    if (origin !== this.#origin || opClass !== this.#class) {
      this.#origin = origin;
      this.#class = opClass;
      this.#runs = this.#runsOf(laneOf(origin, opClass));
    }
    const last = this.#runs.at(-1);
    if (last !== undefined && seq !== last.to + 1) return insert(this.#runs, seq);
    if (last === undefined) this.#runs.push({ from: seq, to: seq });
    else last.to = seq;
    return true;
  }

  #runsOf(lane: Lane): Run[] {
    const known = this.#runsByLane.get(lane);
    if (known !== undefined) return known;
    const runs: Run[] = [];
    this.#runsByLane.set(lane, runs);
    return runs;
  }

  /** The canonical form. */
  list(): LaneRange[] {
    const ranges: LaneRange[] = [];
    for (const lane of [...this.#runsByLane.keys()].toSorted()) {
      const name = splitLane(lane);
      for (const run of this.#runsByLane.get(lane) as Run[]) ranges.push({ ...name, ...run });
    }
    return ranges;
  }
}

/** Ranges in any order, that may overlap, in the canonical form. */
export function canonicalRanges(ranges: readonly LaneRange[]): LaneRange[] {
  const sorted = ranges.toSorted((a, b) => {
    const [laneA, laneB] = [laneOf(a.origin, a.class), laneOf(b.origin, b.class)];
    return laneA === laneB ? a.from - b.from : laneA < laneB ? -1 : 1;
  });
  const list: LaneRange[] = [];
  for (const range of sorted) {
    const last = list.at(-1);
    const isNext =
      last?.origin === range.origin && last.class === range.class && range.from <= last.to + 1;
    if (last !== undefined && isNext)
      list[list.length - 1] = { ...last, to: Math.max(last.to, range.to) };
    else list.push(range);
  }
  return list;
}

/** What is in the first ranges and not in the others. */
export function subtractRanges(
  ranges: readonly LaneRange[],
  others: readonly LaneRange[],
): readonly LaneRange[] {
  let left = ranges;
  for (const other of others) {
    left = left.flatMap((range) => {
      if (sharedOps(range, other) === 0) return [range];
      const parts = [
        { ...range, to: other.from - 1 },
        { ...range, from: other.to + 1 },
      ];
      return parts.filter(({ from, to }) => from <= to);
    });
  }
  return left;
}

export function overlaps(a: readonly LaneRange[], b: readonly LaneRange[]): boolean {
  return a.some((range) => b.some((other) => sharedOps(range, other) > 0));
}

/** How many ops both ranges name. */
export function sharedOps(a: LaneRange, b: LaneRange): number {
  if (a.origin !== b.origin || a.class !== b.class) return 0;
  return Math.max(0, Math.min(a.to, b.to) - Math.max(a.from, b.from) + 1);
}

function insert(runs: Run[], seq: number): boolean {
  const at = runs.findIndex((run) => seq <= run.to + 1);
  const run = runs[at];
  if (run === undefined) {
    runs.push({ from: seq, to: seq });
  } else if (seq >= run.from && seq <= run.to) {
    return false;
  } else if (seq === run.to + 1) {
    run.to = seq;
    const next = runs[at + 1];
    if (next !== undefined && next.from === seq + 1) {
      run.to = next.to;
      runs.splice(at + 1, 1);
    }
  } else if (seq === run.from - 1) run.from = seq;
  else runs.splice(at, 0, { from: seq, to: seq });
  return true;
}

export function opsInRanges(ranges: readonly LaneRange[]): number {
  return ranges.reduce((ops, range) => ops + range.to - range.from + 1, 0);
}

export function rangesEqual(a: readonly LaneRange[], b: readonly LaneRange[]): boolean {
  return (
    a.length === b.length && a.every((range, index) => sameRange(range, b[index] as LaneRange))
  );
}

function sameRange(a: LaneRange, b: LaneRange): boolean {
  return a.origin === b.origin && a.class === b.class && a.from === b.from && a.to === b.to;
}

export function writeRanges(writer: CborWriter, ranges: readonly LaneRange[]): void {
  writer.array(ranges.length);
  for (const range of ranges) {
    writer.array(4).bytes(bytesOfOrigin(range.origin)).uint(range.class);
    writer.uint(range.from).uint(range.to);
  }
}

/** Reads ranges in canonical form; throws `CborError` on any other. */
export function readRanges(reader: CborReader): LaneRange[] {
  const count = reader.array();
  const ranges: LaneRange[] = [];
  for (let i = 0; i < count; i++) {
    const start = reader.offset;
    reader.expectArray(4);
    const origin = originOfBytes(reader.bytes());
    const opClass = reader.uint();
    const from = reader.uint();
    const to = reader.uint();
    const previous = ranges.at(-1);
    if (origin === undefined || !isOpClass(opClass) || from === 0 || to < from) {
      throw new CborError('malformed range', start);
    }
    const range = { origin, class: opClass, from, to };
    if (previous !== undefined && !comesAfter(previous, range)) {
      throw new CborError('ranges out of order', start);
    }
    ranges.push(range);
  }
  return ranges;
}

function comesAfter(previous: LaneRange, range: LaneRange): boolean {
  if (previous.origin !== range.origin) return previous.origin < range.origin;
  if (previous.class !== range.class) return previous.class < range.class;
  return range.from > previous.to + 1;
}
