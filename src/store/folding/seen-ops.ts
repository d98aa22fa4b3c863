/**
 * Which ops of each lane have been folded: all up to a seq, and ranges beyond it. Lanes have no gaps on
 * their way through a healthy journal; where damage was quarantined, or batches of a lane overtake each
 * other, what lies beyond the gap is still counted once, and the gap still shows in the version vector.
 */
import { CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { LOG } from '../../model/class.ts';
import { type Lane, type Origin, splitLane } from '../../model/origin.ts';
import {
  isInRanges,
  joinRanges,
  NO_RANGES,
  type RangesByLane,
  type SeqRange,
  splitRanges,
} from '../../model/seq-ranges.ts';
import type { VersionVector } from '../../model/version-vector.ts';

/** Mutable twin of `SeqRange`. */
interface Range {
  from: number;
  to: number;
}

/** A lane as it stands; `beyond` are the ranges behind gaps, ascending. */
interface SeenLane {
  readonly lane: Lane;
  readonly upTo: number;
  readonly beyond: readonly SeqRange[];
}

/** How often an op came that others of its lane had overtaken. */
interface Fills {
  count: number;
}

/** The ops seen of one lane; a run of ops looks it up once. */
export class LaneOps {
  readonly lane: Lane;
  readonly origin: Origin;
  upTo: number;
  /** Ascending, disjoint, none touching another or `upTo`. */
  readonly beyond: Range[];
  /** Whether it has changed since it was written down. */
  isChanged = false;
  readonly #fills: Fills;

  constructor(lane: Lane, fills: Fills, upTo = 0, beyond: Range[] = []) {
    this.lane = lane;
    this.#fills = fills;
    this.origin = splitLane(lane).origin;
    this.upTo = upTo;
    this.beyond = beyond;
  }

  /** Notes the op; false where it was seen before. */
  add(seq: number): boolean {
    if (seq <= this.upTo) return false;
    if (seq === this.upTo + 1) {
      this.upTo = seq;
      const [first] = this.beyond;
      if (first !== undefined) this.#fills.count += 1;
      if (first?.from === seq + 1) {
        this.upTo = first.to;
        this.beyond.shift();
      }
    } else if (!addBeyond(this.beyond, seq)) return false;
    else if (seq < (this.beyond.at(-1) as Range).to) this.#fills.count += 1;
    this.isChanged = true;
    return true;
  }

  /** Notes all up to `upTo`, and the ranges beyond it. */
  join(upTo: number, beyond: readonly SeqRange[]): void {
    const here = [{ from: 1, to: this.upTo }, ...this.beyond];
    const ranges = joinRanges(here, [{ from: 1, to: upTo }, ...beyond]);
    this.upTo = ranges[0]?.to ?? 0;
    this.beyond.splice(0, Infinity, ...ranges.slice(1));
    this.isChanged = true;
    this.#fills.count += 1;
  }
}

export class SeenOps {
  readonly #lanes = new Map<Lane, LaneOps>();
  readonly #fills: Fills = { count: 0 };

  /** Grows whenever an op comes into a gap: what is beyond it may count all at once then. */
  get fills(): number {
    return this.#fills.count;
  }

  has(lane: Lane, seq: number): boolean {
    const ops = this.#lanes.get(lane);
    if (ops === undefined) return false;
    return seq <= ops.upTo || isInRanges(ops.beyond, seq);
  }

  /** What was seen of the lane: all up to the end of the first range, where it begins with 1. */
  rangesOf(lane: Lane): SeqRange[] {
    const ops = this.#lanes.get(lane);
    if (ops === undefined) return [];
    const ranges = ops.upTo === 0 ? ops.beyond : [{ from: 1, to: ops.upTo }, ...ops.beyond];
    return ranges.map((range) => ({ ...range }));
  }

  lane(lane: Lane): LaneOps {
    let ops = this.#lanes.get(lane);
    if (ops === undefined) {
      ops = new LaneOps(lane, this.#fills);
      this.#lanes.set(lane, ops);
    }
    return ops;
  }

  /** Notes what another replica has seen of a lane. */
  join({ lane, upTo, beyond }: SeenLane): void {
    this.lane(lane).join(upTo, beyond);
  }

  /** How far each lane was seen without a gap, but for those in `passes`. */
  vector(passes: RangesByLane = NO_RANGES): VersionVector {
    const vector = new Map([...this.#lanes].map(([lane, { upTo }]) => [lane, upTo]));
    for (const [lane, ranges] of passes) {
      const { upTo } = splitRanges(joinRanges(this.rangesOf(lane), ranges));
      if (vector.has(lane)) vector.set(lane, upTo);
    }
    return vector;
  }

  /** The highest seq seen of each lane, gaps or not: numbering goes on from here. */
  highest(): VersionVector {
    return new Map(
      [...this.#lanes].map(([lane, { upTo, beyond }]) => [lane, beyond.at(-1)?.to ?? upTo]),
    );
  }

  /** Count of ops seen, those of class log left out. */
  count(): number {
    let count = 0;
    for (const [lane, { upTo, beyond }] of this.#lanes) {
      if (splitLane(lane).class === LOG) continue;
      count += upTo;
      for (const { from, to } of beyond) count += to - from + 1;
    }
    return count;
  }

  /** Hands over the lanes that have changed since the last call. */
  *takeChanges(): Generator<SeenLane> {
    for (const ops of this.#lanes.values()) {
      if (!ops.isChanged) continue;
      ops.isChanged = false;
      yield ops;
    }
  }

  all(): Iterable<SeenLane> {
    return this.#lanes.values();
  }

  /** Sets a lane to what it was when it was written down. */
  restore({ lane, upTo, beyond }: SeenLane): void {
    const ranges = beyond.map((range) => ({ ...range }));
    this.#lanes.set(lane, new LaneOps(lane, this.#fills, upTo, ranges));
  }

  /** The same, and notes it as a change. */
  load(seen: SeenLane): void {
    this.restore(seen);
    this.lane(seen.lane).isChanged = true;
  }
}

/** The ranges as a CBOR array of from, to, from, to … */
export function encodeRanges(ranges: readonly SeqRange[]): Uint8Array {
  const writer = new CborWriter(16).array(ranges.length * 2);
  for (const { from, to } of ranges) writer.uint(from).uint(to);
  return writer.finish();
}

/** Reads what `encodeRanges` wrote. */
export function decodeRanges(bytes: Uint8Array): SeqRange[] {
  const reader = new CborReader(bytes);
  const count = reader.array() / 2;
  return Array.from({ length: count }, () => ({ from: reader.uint(), to: reader.uint() }));
}

/** Adds `seq` to the ranges, joining what touches; false where it is in one. */
function addBeyond(ranges: Range[], seq: number): boolean {
  let at = ranges.length;
  while (at > 0 && (ranges[at - 1] as Range).from > seq) at -= 1;
  const before = ranges[at - 1];
  const after = ranges[at];
  if (before !== undefined && before.to >= seq) return false;
  const joinsBefore = before !== undefined && before.to === seq - 1;
  const joinsAfter = after !== undefined && after.from === seq + 1;
  if (joinsBefore && joinsAfter) {
    before.to = after.to;
    ranges.splice(at, 1);
  } else if (joinsBefore) before.to = seq;
  else if (joinsAfter) after.from = seq;
  else ranges.splice(at, 0, { from: seq, to: seq });
  return true;
}
