/** Ranges of clocks: ascending, disjoint, none touching another, so that a set has one form. */
import { placeOf } from '../../base/halving.ts';

/** Clocks from `from` up to before `to`. */
export interface ClockRange {
  readonly from: number;
  readonly to: number;
}

/** The one form of ranges that came in any order. */
export function normalRanges(ranges: readonly ClockRange[]): ClockRange[] {
  return joinedRanges(ranges.toSorted((a, b) => a.from - b.from));
}

/** Of two sets in their one form. */
export function unionOf(a: readonly ClockRange[], b: readonly ClockRange[]): ClockRange[] {
  if (a.length === 0) return [...b];
  if (b.length === 0) return [...a];
  const merged: ClockRange[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const [left, right] = [a[i], b[j]];
    if (right === undefined || (left !== undefined && left.from <= right.from)) {
      merged.push(left as ClockRange);
      i += 1;
    } else {
      merged.push(right);
      j += 1;
    }
  }
  return joinedRanges(merged);
}

function joinedRanges(ascending: readonly ClockRange[]): ClockRange[] {
  const joined: ClockRange[] = [];
  for (const range of ascending) {
    const last = joined.at(-1);
    if (last === undefined || last.to < range.from) joined.push(range);
    else if (last.to < range.to) joined[joined.length - 1] = { from: last.from, to: range.to };
  }
  return joined;
}

/** Index of the first of `items`, which ascend, that ends at `clock` or later. */
export function firstEndingAt<T>(
  items: readonly T[],
  clock: number,
  endOf: (item: T) => number,
): number {
  return placeOf(items, (item) => endOf(item) < clock);
}
