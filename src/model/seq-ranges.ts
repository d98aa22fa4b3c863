/** Ranges of seqs of one lane: what is known of it where there are gaps. */
import type { Lane } from './origin.ts';

/** Seqs `from` … `to`, both included. */
export interface SeqRange {
  readonly from: number;
  readonly to: number;
}

/** By lane, ascending. */
export type RangesByLane = ReadonlyMap<Lane, readonly SeqRange[]>;

export const NO_RANGES: RangesByLane = new Map();

/** All of both, ascending, in as few ranges as it takes. */
export function joinRanges(a: readonly SeqRange[], b: readonly SeqRange[]): SeqRange[] {
  const ranges: { from: number; to: number }[] = [];
  for (const range of [...a, ...b].toSorted((x, y) => x.from - y.from)) {
    const last = ranges.at(-1);
    if (last !== undefined && range.from <= last.to + 1) last.to = Math.max(last.to, range.to);
    else ranges.push({ ...range });
  }
  return ranges;
}

export function isInRanges(ranges: readonly SeqRange[], seq: number): boolean {
  return ranges.some(({ from, to }) => from <= seq && seq <= to);
}

/** The least seq in `ranges` that is not in `others`; both ascend. */
export function firstBeside(
  ranges: readonly SeqRange[],
  others: readonly SeqRange[],
): number | undefined {
  for (const { from, to } of ranges) {
    let seq = from;
    for (const other of others) if (other.from <= seq && seq <= other.to) seq = other.to + 1;
    if (seq <= to) return seq;
  }
  return undefined;
}

/** Up to where there is no gap, and what is behind it. */
export function splitRanges(ranges: readonly SeqRange[]): {
  readonly upTo: number;
  readonly rest: readonly SeqRange[];
} {
  const [first, ...rest] = ranges;
  return first?.from === 1 ? { upTo: first.to, rest } : { upTo: 0, rest: ranges };
}

/** Of `ranges`, what ends at or before `seq`. */
export function rangesUpTo(ranges: readonly SeqRange[], seq: number): SeqRange[] {
  return ranges.flatMap(({ from, to }) => (from > seq ? [] : [{ from, to: Math.min(to, seq) }]));
}
